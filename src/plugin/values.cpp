// SPDX-License-Identifier: Apache-2.0
#include "plugin/values.h"

#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/text.h"

namespace sluice::plugin {
namespace {

using json::Value;

// An object that is filled name by name, however many there are.
class Collected {
 public:
  void add(std::string name, Value value) {
    const auto [found, fresh] = places_.try_emplace(name, members_.size());
    if (fresh) {
      members_.emplace_back(std::move(name), std::move(value));
      return;
    }
    Value& there = members_[found->second].second;
    if (!there.is_array()) there = Value::array({there});
    there.push_back(std::move(value));
  }
  Value take() {
    json::Object object;
    for (auto& [name, value] : members_) object.append(std::move(name), std::move(value));
    return Value(std::move(object));
  }

 private:
  std::vector<std::pair<std::string, Value>> members_;
  std::unordered_map<std::string, std::size_t, StringHash, std::equal_to<>> places_;
};

}  // namespace

Value headers_value(const http::Headers& headers) {
  Collected all;
  for (const auto& field : headers) all.add(lowered(field.name), field.value);
  return all.take();
}

Value headers_value(const http::Headers& headers, std::span<const std::string> names) {
  json::Object object;
  for (const auto& name : names) {
    Value value;
    for (const auto& field : headers) {
      if (!equals_ignoring_case(field.name, name)) continue;
      if (value.is_null()) {
        value = Value(field.value);
      } else {
        if (!value.is_array()) value = Value::array({value});
        value.push_back(Value(field.value));
      }
    }
    if (!value.is_null()) object.append(name, std::move(value));
  }
  return Value(std::move(object));
}

Value arguments_value(std::string_view query, std::size_t arguments_max) {
  Collected all;
  std::size_t count = 0;
  for (const std::string_view piece : Split(query, '&')) {
    if (piece.empty()) continue;
    if (++count > arguments_max) break;
    const std::size_t equal = piece.find('=');
    std::string name, value;
    percent_decode(piece.substr(0, equal), name, true);
    if (equal == std::string_view::npos) {
      all.add(std::move(name), true);
      continue;
    }
    percent_decode(piece.substr(equal + 1), value, true);
    all.add(std::move(name), std::move(value));
  }
  return all.take();
}

}  // namespace sluice::plugin
