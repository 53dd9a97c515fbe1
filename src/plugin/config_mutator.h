// SPDX-License-Identifier: Apache-2.0
// Changes a config at random, as its schema has it: members that it names come and go, values take another
// one of their kind, or one that is no good. What unit tests and fuzzing look for weak places with; only they
// include it. One thread; the same seed makes the same changes.
#pragma once
#include <cstdint>
#include <iterator>
#include <string>

#include "base/random.h"
#include "json/value.h"

namespace sluice::plugin::testing {

class Mutator {
  using Value = json::Value;

 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  void change(Value& value, const Value& schema) {
    const auto* properties = schema.find("properties");
    if (value.is_object() && properties != nullptr && roll(2) == 0) {
      const auto& members = properties->as_object();
      if (members.empty()) return;
      const auto& [name, member] = *(members.begin() + static_cast<std::ptrdiff_t>(roll(members.size())));
      Value* inner = value.find(name);
      if (roll(8) == 0) value.erase(name);
      else if (inner != nullptr && roll(2) == 0) change(*inner, member);
      else value.set(name, pick(member));
    } else if (value.is_array() && !value.as_array().empty() && roll(2) == 0) {
      const auto* items = schema.find("items");
      change(value.as_array()[roll(value.as_array().size())], items == nullptr ? schema : *items);
    } else {
      value = pick(schema);
    }
  }

 private:
  std::size_t roll(std::size_t sides) { return static_cast<std::size_t>(random_.next() % sides); }

  Value pick(const Value& schema) {
    const auto* names = schema.find("enum");
    if (names != nullptr && roll(2) == 0) return names->as_array()[roll(names->as_array().size())];
    const auto kind = schema.text("type");
    if (kind == "array" && roll(2) == 0) {
      const auto* items = schema.find("items");
      return Value::array({items == nullptr ? Value("$uri") : pick(*items), "$uri", "$1"});
    }
    if (kind == "boolean" && roll(2) == 0) return roll(2) == 0;
    const Value values[] = {
        nullptr, true, 0, 1, -1, 7, 1.5, 1e308, INT64_MAX, INT64_MIN, "", "a", "$uri", "${arg_x ?? 1}", "${",
        "**", "http://127.0.0.1:1000/", "a,b", "^/(.*)", "(", "/$1", "10.0.0.0/8", "::/0",
        std::string(5000, 'a'), std::string("\r\n\0", 3), Value::array(), Value::object(),
        Value::object({{"set", Value::object({{"A", "$uri"}})}}),
        Value::array({Value::array({"uri", "==", "/"})}), Value::object({{"A", "$uri"}})};
    return values[roll(std::size(values))];
  }

  Random random_;
};

}  // namespace sluice::plugin::testing
