// SPDX-License-Identifier: Apache-2.0
// A schema taken apart (json/schema.h): what its keywords say, ready to be asked. Only schema*.cpp include
// it.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "base/regex.h"
#include "json/schema.h"

namespace sluice::json {

struct Schema::Node {
  using Named = std::vector<std::pair<std::string, const Node*>>;
  struct Bound {
    double value = 0;
    bool exclusive = false;
  };
  struct Dependency {
    std::string name;
    std::vector<std::string> required;
    const Node* schema = nullptr;
  };

  bool never = false;           // the schema `false`
  const Node* target = nullptr;  // of $ref, which stands alone
  std::uint8_t types = 0;       // bits of Kind; 0: any
  std::vector<std::string> type_names;
  std::optional<std::vector<Value>> one_of_values;  // enum, const
  bool is_const = false;

  std::optional<Bound> least, most;
  std::optional<double> multiple_of;
  std::optional<std::size_t> length_least, length_most;
  Regex pattern;

  const Node* items = nullptr;
  std::vector<const Node*> items_in_order;
  const Node* additional_items = nullptr;
  const Node* contains = nullptr;
  std::optional<std::size_t> items_least, items_most;
  bool unique = false;

  Named properties;
  std::vector<std::pair<std::string, Value>> defaults;  // of properties
  std::vector<std::pair<Regex, const Node*>> pattern_properties;
  const Node* additional_properties = nullptr;
  const Node* property_names = nullptr;
  std::vector<std::string> required;
  std::vector<Dependency> dependencies;
  std::optional<std::size_t> properties_least, properties_most;

  std::vector<const Node*> all_of, any_of, one_of;
  const Node* none_of = nullptr;  // not
  const Node *condition = nullptr, *consequence = nullptr, *alternative = nullptr;
};

}  // namespace sluice::json
