// SPDX-License-Identifier: Apache-2.0
#include "json/value.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/result.h"

namespace sluice::json {

std::string_view name_of(Kind kind) {
  constexpr std::string_view names[]{"null", "boolean", "integer", "number", "string", "array", "object"};
  return names[static_cast<std::size_t>(kind)];
}

Value::Value(std::string text) : kind_(Kind::string), text_(new std::string(std::move(text))) {}
Value::Value(Array items) : kind_(Kind::array), items_(new Array(std::move(items))) {}
Value::Value(Object members) : kind_(Kind::object), members_(new Object(std::move(members))) {}

Value::Value(const Value& other) : kind_(other.kind_), whole_(other.whole_) {
  if (kind_ == Kind::string) text_ = new std::string(*other.text_);
  if (kind_ == Kind::array) items_ = new Array(*other.items_);
  if (kind_ == Kind::object) members_ = new Object(*other.members_);
}

void Value::destroy() noexcept {
  if (kind_ == Kind::string) delete text_;
  if (kind_ == Kind::array) delete items_;
  if (kind_ == Kind::object) delete members_;
}

Value Value::array(std::initializer_list<Value> items) { return Array(items); }

Value Value::object(std::initializer_list<Member> members) {
  Object object;
  for (const auto& member : members) object.set(member.key, member.value);
  return object;
}

bool Value::is_integer() const {
  if (kind_ == Kind::integer) return true;
  return kind_ == Kind::number && std::trunc(number_) == number_ && std::abs(number_) < 9.2e18;
}

bool Value::as_bool() const {
  SLUICE_CHECK(is_bool());
  return whole_ != 0;
}

std::int64_t Value::as_int() const {
  SLUICE_CHECK(is_integer());
  return kind_ == Kind::integer ? whole_ : static_cast<std::int64_t>(number_);
}

double Value::as_double() const {
  SLUICE_CHECK(is_number());
  return kind_ == Kind::number ? number_ : static_cast<double>(whole_);
}

const std::string& Value::as_string() const {
  SLUICE_CHECK(is_string());
  return *text_;
}

const Array& Value::as_array() const {
  SLUICE_CHECK(is_array());
  return *items_;
}

Array& Value::as_array() {
  SLUICE_CHECK(is_array());
  return *items_;
}

const Object& Value::as_object() const {
  SLUICE_CHECK(is_object());
  return *members_;
}

Object& Value::as_object() {
  SLUICE_CHECK(is_object());
  return *members_;
}

const Value* Value::find(std::string_view key) const { return is_object() ? members_->find(key) : nullptr; }
Value* Value::find(std::string_view key) { return is_object() ? members_->find(key) : nullptr; }

std::string_view Value::text(std::string_view key, std::string_view otherwise) const {
  const Value* member = find(key);
  return member && member->is_string() ? std::string_view(member->as_string()) : otherwise;
}

Value& Value::set(std::string_view key, Value value) {
  if (is_null()) *this = Object();
  return as_object().set(key, std::move(value));
}

bool Value::erase(std::string_view key) { return is_object() && members_->erase(key); }

Value& Value::push_back(Value item) {
  if (is_null()) *this = Array();
  as_array().push_back(std::move(item));
  return as_array().back();
}

namespace {

bool same_members(const Object& a, const Object& b) {
  if (a.size() != b.size()) return false;
  auto same_place = std::ranges::equal(
      a, b, [](const Member& x, const Member& y) { return x.key == y.key && x.value == y.value; });
  if (same_place) return true;
  std::unordered_map<std::string_view, const Value*> others;
  for (const auto& member : b) others.emplace(member.key, &member.value);
  return std::ranges::all_of(a, [&](const Member& member) {
    auto found = others.find(member.key);
    return found != others.end() && *found->second == member.value;
  });
}

}  // namespace

bool operator==(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.kind_ == Kind::integer && b.kind_ == Kind::integer) return a.whole_ == b.whole_;
    return a.as_double() == b.as_double();
  }
  if (a.kind_ != b.kind_) return false;
  switch (a.kind_) {
    case Kind::boolean:
      return a.whole_ == b.whole_;
    case Kind::string:
      return *a.text_ == *b.text_;
    case Kind::array:
      return *a.items_ == *b.items_;
    case Kind::object:
      return same_members(*a.members_, *b.members_);
    default:
      return true;
  }
}

const Value* Object::find(std::string_view key) const {
  for (const auto& member : members_) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Value* Object::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

Value& Object::set(std::string_view key, Value value) {
  if (auto* present = find(key)) return *present = std::move(value), *present;
  return append(std::string(key), std::move(value));
}

Value& Object::append(std::string key, Value value) {
  members_.push_back({std::move(key), std::move(value)});
  return members_.back().value;
}

bool Object::erase(std::string_view key) {
  auto gone = std::ranges::find(members_, key, &Member::key);
  if (gone == members_.end()) return false;
  members_.erase(gone);
  return true;
}

void Object::remove_duplicates() {
  if (members_.size() < 2) return;
  std::unordered_map<std::string_view, std::size_t> first;
  std::vector<bool> doomed(members_.size());
  bool any = false;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    auto [place, fresh] = first.emplace(members_[i].key, i);
    if (fresh) continue;
    members_[place->second].value = std::move(members_[i].value);
    doomed[i] = any = true;
  }
  if (!any) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (doomed[i]) continue;
    if (kept != i) members_[kept] = std::move(members_[i]);
    ++kept;
  }
  members_.resize(kept);
}

}  // namespace sluice::json
