// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/hash.h"
#include "json/schema_node.h"
#include "json/text.h"

namespace sluice::json {
namespace {

// What is wrong, nothing when nothing is.
using Wrong = std::optional<std::string>;

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Equal values have equal ones.
std::uint64_t hash_of(const Value& value) {
  switch (value.kind()) {
    case Kind::array: {
      std::uint64_t hash = 1;
      for (const Value& item : value.as_array()) hash = combine_hashes(hash, hash_of(item));
      return hash;
    }
    case Kind::object: {
      std::uint64_t hash = 2;  // members have no order
      for (const auto& [name, member] : value.as_object())
        hash += combine_hashes(hash64(name), hash_of(member));
      return hash;
    }
    case Kind::integer:
    case Kind::number: {
      const double number = value.as_double() + 0.0;  // -0 is 0
      return hash64({reinterpret_cast<const char*>(&number), sizeof number});
    }
    default: return hash64(dump(value));
  }
}

std::string number_text(double number) { return dump(Value(number)); }

Wrong named(std::string_view property, Wrong wrong) {
  if (!wrong) return wrong;
  return fmt::format("property \"{}\" validation failed: {}", property, *wrong);
}

}  // namespace

class SchemaCheck {
 public:
  using Node = Schema::Node;

  Wrong check(const Node& asked, Value& value, int depth) {
    const Node* found = &asked;
    for (int hops = 0; found->target != nullptr; found = found->target) {
      if (++hops > Schema::depth_max) return "the schema refers to itself";
    }
    const Node& node = *found;
    if (depth > Schema::depth_max) return "the value nests too deep";
    if (++steps_ > Schema::steps_max) return "the value takes too many steps to check";
    if (node.never) return "no value is allowed here";
    if (auto wrong = check_type(node, value)) return wrong;
    if (auto wrong = check_values(node, value)) return wrong;
    switch (value.kind()) {
      case Kind::integer:
      case Kind::number:
        if (auto wrong = check_number(node, value.as_double())) return wrong;
        break;
      case Kind::string:
        if (auto wrong = check_string(node, value.as_string())) return wrong;
        break;
      case Kind::array:
        if (auto wrong = check_array(node, value.as_array(), depth)) return wrong;
        break;
      case Kind::object:
        if (auto wrong = check_object(node, value, depth)) return wrong;
        break;
      default: break;
    }
    return check_combined(node, value, depth);
  }

 private:
  static Wrong check_type(const Node& node, const Value& value) {
    if (node.types == 0) return {};
    const auto bit = [](Kind kind) { return 1u << static_cast<unsigned>(kind); };
    if ((node.types & bit(value.kind())) != 0) return {};
    if (value.is_number() && (node.types & bit(Kind::number)) != 0) return {};
    if (value.is_integer() && (node.types & bit(Kind::integer)) != 0) return {};
    const auto got = value.is_number() ? std::string_view("number") : name_of(value.kind());
    if (node.type_names.size() == 1)
      return fmt::format("wrong type: expected {}, got {}", node.type_names.front(), got);
    return fmt::format("wrong type: expected one of {}, got {}", fmt::join(node.type_names, ", "), got);
  }

  static Wrong check_values(const Node& node, const Value& value) {
    if (!node.one_of_values || std::ranges::find(*node.one_of_values, value) != node.one_of_values->end())
      return {};
    if (node.is_const) return "expected the constant " + dump(node.one_of_values->front());
    return "matches none of the enum values";
  }

  static Wrong check_number(const Node& node, double number) {
    const auto shown = [number] { return number_text(number); };
    if (const auto& least = node.least;
        least && (least->exclusive ? number <= least->value : number < least->value))
      return fmt::format("expected {} to be {} {}", shown(), least->exclusive ? "greater than" : "at least",
                         number_text(least->value));
    if (const auto& most = node.most;
        most && (most->exclusive ? number >= most->value : number > most->value))
      return fmt::format("expected {} to be {} {}", shown(), most->exclusive ? "smaller than" : "at most",
                         number_text(most->value));
    if (node.multiple_of) {
      const double quotient = number / *node.multiple_of;
      if (!std::isfinite(quotient) ||
          std::abs(quotient - std::round(quotient)) > 1e-9 * std::max(1.0, std::abs(quotient)))
        return fmt::format("expected {} to be a multiple of {}", shown(), number_text(*node.multiple_of));
    }
    return {};
  }

  static Wrong check_string(const Node& node, const std::string& text) {
    if (node.length_least || node.length_most) {
      const std::size_t length = characters_of(text);
      if (node.length_least && length < *node.length_least)
        return fmt::format("string too short, expected at least {}, got {}", *node.length_least, length);
      if (node.length_most && length > *node.length_most)
        return fmt::format("string too long, expected at most {}, got {}", *node.length_most, length);
    }
    if (node.pattern && node.pattern.match(text) != Regex::Outcome::match)
      return fmt::format("failed to match pattern \"{}\" with \"{}\"", node.pattern.pattern(), text);
    return {};
  }

  Wrong check_array(const Node& node, Array& items, int depth) {
    if (node.items_least && items.size() < *node.items_least)
      return fmt::format("expect array to have at least {} items", *node.items_least);
    if (node.items_most && items.size() > *node.items_most)
      return fmt::format("expect array to have at most {} items", *node.items_most);
    if (node.unique) {
      if (auto wrong = check_unique(items)) return wrong;
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Node* asked = node.items;
      if (!node.items_in_order.empty())
        asked = i < node.items_in_order.size() ? node.items_in_order[i] : node.additional_items;
      if (asked == nullptr) continue;
      if (const auto wrong = check(*asked, items[i], depth + 1))
        return fmt::format("failed to validate item {}: {}", i + 1, *wrong);
    }
    if (node.contains == nullptr) return {};
    const bool any =
        std::ranges::any_of(items, [&](Value& item) { return !check(*node.contains, item, depth + 1); });
    return any ? Wrong() : "no item is one that the array has to contain";
  }

  static Wrong check_unique(const Array& items) {
    std::unordered_multimap<std::uint64_t, std::size_t> seen;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::uint64_t hash = hash_of(items[i]);
      const auto [first, last] = seen.equal_range(hash);
      for (auto it = first; it != last; ++it) {
        if (items[it->second] == items[i])
          return fmt::format("expected unique items but items {} and {} are equal", it->second + 1, i + 1);
      }
      seen.emplace(hash, i);
    }
    return {};
  }

  // The members of a large object by name, for looking one up is a walk.
  class Members {
   public:
    explicit Members(Value& object) : object_(object) {
      constexpr std::size_t few = 32;
      if (object.as_object().size() <= few) return;
      for (auto& member : object.as_object()) index_.emplace(member.key, &member.value);
    }
    Value* find(const std::string& name) {
      if (index_.empty()) return object_.find(name);
      const auto found = index_.find(name);
      return found == index_.end() ? nullptr : found->second;
    }

   private:
    Value& object_;
    std::unordered_map<std::string_view, Value*, StringHash> index_;
  };

  Wrong check_object(const Node& node, Value& object, int depth) {
    Members members(object);
    const std::size_t size = object.as_object().size();
    for (const std::string& name : node.required) {
      if (members.find(name) == nullptr) return fmt::format("property \"{}\" is required", name);
    }
    if (node.properties_least && size < *node.properties_least)
      return fmt::format("expect object to have at least {} properties", *node.properties_least);
    if (node.properties_most && size > *node.properties_most)
      return fmt::format("expect object to have at most {} properties", *node.properties_most);
    for (const auto& [name, asked] : node.properties) {
      if (Value* member = members.find(name)) {
        if (auto wrong = named(name, check(*asked, *member, depth + 1))) return wrong;
      }
    }
    if (auto wrong = check_members(node, object, depth)) return wrong;
    if (auto wrong = check_dependencies(node, object, members, depth)) return wrong;
    for (const auto& [name, otherwise] : node.defaults) {  // not judged by the schema
      if (object.find(name) == nullptr) object.set(name, otherwise);
    }
    return {};
  }

  Wrong check_members(const Node& node, Value& object, int depth) {
    if (node.pattern_properties.empty() && node.additional_properties == nullptr &&
        node.property_names == nullptr)
      return {};
    std::unordered_map<std::string_view, bool, StringHash> listed;
    for (const auto& property : node.properties) listed.emplace(property.first, true);
    for (auto& [name, member] : object.as_object()) {
      if (node.property_names != nullptr) {
        Value text(name);
        if (auto wrong = named(name, check(*node.property_names, text, depth + 1))) return wrong;
      }
      bool known = listed.contains(name);
      for (const auto& [pattern, asked] : node.pattern_properties) {
        if (pattern.match(name) != Regex::Outcome::match) continue;
        known = true;
        if (auto wrong = named(name, check(*asked, member, depth + 1))) return wrong;
      }
      if (known || node.additional_properties == nullptr) continue;
      if (node.additional_properties->never) return "additional properties forbidden, found " + name;
      if (auto wrong = named(name, check(*node.additional_properties, member, depth + 1))) return wrong;
    }
    return {};
  }

  Wrong check_dependencies(const Node& node, Value& object, Members& members, int depth) {
    for (const auto& dependency : node.dependencies) {
      if (members.find(dependency.name) == nullptr) continue;
      for (const std::string& other : dependency.required) {
        if (members.find(other) == nullptr)
          return fmt::format("property \"{}\" is required when \"{}\" is set", other, dependency.name);
      }
      if (dependency.schema == nullptr) continue;
      if (const auto wrong = check(*dependency.schema, object, depth + 1))
        return fmt::format("failed to validate dependent schema for \"{}\": {}", dependency.name, *wrong);
    }
    return {};
  }

  Wrong check_combined(const Node& node, Value& value, int depth) {
    for (std::size_t i = 0; i < node.all_of.size(); ++i) {
      if (const auto wrong = check(*node.all_of[i], value, depth + 1))
        return fmt::format("allOf {} failed: {}", i + 1, *wrong);
    }
    if (!node.any_of.empty() && std::ranges::all_of(node.any_of, [&](const Node* one) {
          return check(*one, value, depth + 1).has_value();
        }))
      return "object matches none of the required";
    if (auto wrong = check_one_of(node, value, depth)) return wrong;
    if (node.none_of != nullptr && !check(*node.none_of, value, depth + 1))
      return "value wasn't supposed to match schema";
    if (node.condition == nullptr) return {};
    const bool holds = !check(*node.condition, value, depth + 1);
    const Node* then = holds ? node.consequence : node.alternative;
    if (then == nullptr) return {};
    if (const auto wrong = check(*then, value, depth + 1))
      return fmt::format("{} clause did not match: {}", holds ? "then" : "else", *wrong);
    return {};
  }

  Wrong check_one_of(const Node& node, Value& value, int depth) {
    std::size_t matched = 0;  // counted from 1
    for (std::size_t i = 0; i < node.one_of.size(); ++i) {
      if (check(*node.one_of[i], value, depth + 1)) continue;
      if (matched != 0)
        return fmt::format("value should match only one schema, but matches both schemas {} and {}", matched,
                           i + 1);
      matched = i + 1;
    }
    if (matched == 0 && !node.one_of.empty()) return "value should match only one schema, but matches none";
    return {};
  }

  std::size_t steps_ = 0;
};

std::optional<std::string> Schema::check(Value& value) const { return SchemaCheck().check(*root_, value, 0); }

}  // namespace sluice::json
