// SPDX-License-Identifier: Apache-2.0
// JSON Schema, draft 7 (and draft 4's boolean exclusiveMinimum and exclusiveMaximum): schemas that operators
// bring, for bodies that clients send. Compiled once; immutable, any thread. `format` and content* say
// nothing, as the draft allows. `$ref` reaches inside its own document only. Patterns run as everywhere
// (base/regex.h); one that exhausts its budget does not hold, nor does a value whose check takes too many
// steps or nests too deep.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace sluice::json {

class Schema {
 public:
  static constexpr int depth_max = 128;
  static constexpr std::size_t steps_max = 1'000'000;  // schemas asked for one value

  // The error names the place: "/properties/age/minimum must be a number".
  static Result<Schema> compile(const Value& document);

  // What is wrong with the value, in the words of APISIX (`property "age" validation failed: …`); nothing
  // when it holds. Members that are absent and have a default get it.
  std::optional<std::string> check(Value& value) const;

  // The members of an object on which alone the answer of `check` depends, so that nobody has to gather the
  // others; nothing when it may depend on any. Sorted, once each.
  std::optional<std::vector<std::string>> members_asked() const;

 private:
  friend class SchemaCompiler;
  friend class SchemaCheck;
  friend class SchemaMembers;
  struct Node;
  Schema() = default;
  std::shared_ptr<const std::deque<Node>> nodes_;
  const Node* root_ = nullptr;
};

}  // namespace sluice::json
