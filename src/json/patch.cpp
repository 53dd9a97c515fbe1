// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <unordered_map>

#include "json/text.h"

namespace sluice::json {
namespace {

// Removes what the patch says is null, inside a value that is new as a whole.
Value without_nulls(const Value& value) {
  if (!value.is_object()) return value;
  Object kept;
  for (const auto& [key, member] : value.as_object()) {
    if (!member.is_null()) kept.append(key, without_nulls(member));
  }
  return kept;
}

std::string unescape(std::string_view segment) {
  std::string key;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    bool escaped = segment[i] == '~' && i + 1 < segment.size();
    if (escaped) ++i;
    key += !escaped ? segment[i] : segment[i] == '1' ? '/' : '~';
  }
  return key;
}

}  // namespace

void merge_patch(Value& target, const Value& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) {
    target = without_nulls(patch);
    return;
  }
  Object& members = target.as_object();
  std::unordered_map<std::string_view, const Value*> changes;
  for (const auto& [key, value] : patch.as_object()) changes.emplace(key, &value);
  Object merged;
  for (auto& [key, value] : members) {
    auto change = changes.find(key);
    if (change != changes.end()) {
      const Value& wanted = *change->second;
      changes.erase(change);
      if (wanted.is_null()) continue;
      merge_patch(value, wanted);
    }
    merged.append(std::move(key), std::move(value));
  }
  for (const auto& [key, value] : patch.as_object()) {
    if (changes.contains(key) && !value.is_null()) merged.append(key, without_nulls(value));
  }
  members = std::move(merged);
}

Result<> patch_path(Value& target, std::string_view path, Value leaf) {
  std::string walked;
  Value* node = &target;
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return merge_patch(target, leaf), Result<>();
  for (;;) {
    auto slash = path.find('/');
    auto key = path.substr(0, slash);
    if (!node->is_object()) return fail(ErrorKind::protocol, "invalid sub-path: " + walked, Fault::client);
    walked.append("/").append(key);
    if (slash == path.npos) {
      if (leaf.is_null()) {
        node->erase(key);
      } else {
        node->set(key, std::move(leaf));
      }
      return {};
    }
    Value* next = node->find(key);
    node = next ? next : &node->set(key, Object());
    path.remove_prefix(slash + 1);
    while (path.starts_with('/')) path.remove_prefix(1);
  }
}

const Value* at_pointer(const Value& value, std::string_view pointer) {
  const Value* node = &value;
  while (node && !pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    auto segment = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(segment.size());
    if (node->is_array()) {
      std::size_t index = 0;
      auto [end, error] = std::from_chars(segment.data(), segment.data() + segment.size(), index);
      bool good =
          error == std::errc() && end == segment.data() + segment.size() && index < node->as_array().size();
      node = good ? &node->as_array()[index] : nullptr;
    } else {
      node = node->find(unescape(segment));
    }
  }
  return node;
}

Value* at_pointer(Value& value, std::string_view pointer) {
  return const_cast<Value*>(at_pointer(std::as_const(value), pointer));
}

std::string pointer_segment(std::string_view key) {
  std::string segment;
  for (char c : key) {
    if (c == '~')
      segment += "~0";
    else if (c == '/')
      segment += "~1";
    else
      segment += c;
  }
  return segment;
}

}  // namespace sluice::json
