// SPDX-License-Identifier: Apache-2.0
// Conditions over the variables of a request, in APISIX's notation: [["arg_age", ">", 24], ["OR", [...],
// [...]]]. They decide which route matches (`vars`), which plugin runs (`_meta.filter`), which rule of a
// plugin applies. Compiled once into a flat list; evaluating allocates nothing and recurses no deeper than
// the notation nests. Immutable and shared by all threads.
#pragma once
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/cidr.h"
#include "base/regex.h"
#include "json/value.h"
#include "plugin/variable.h"

namespace sluice::plugin {

struct ExpressionProblem {
  std::string path;  // JSON pointer inside the expression, "" for the whole
  std::string what;
};

class Expression {
 public:
  static constexpr int depth_max = 32;
  static constexpr std::size_t conditions_max = 10'000;

  // undecided: a regular expression ran out of its budget. Routes then do not match, access rules refuse.
  enum class Answer : std::uint8_t { no, yes, undecided };

  Expression() = default;  // always yes, like []
  static std::expected<Expression, ExpressionProblem> compile(const json::Value& rule,
                                                              const VariableFinder& find);

  Answer evaluate(Exchange& x) const;
  bool matches(Exchange& x) const { return evaluate(x) == Answer::yes; }
  bool always() const { return nodes_.empty(); }
  // The names nothing provides, for a warning to the operator.
  const std::vector<std::string>& unknown() const { return unknown_; }

  enum class Operator : std::uint8_t {
    equal,
    not_equal,
    greater,
    greater_equal,
    less,
    less_equal,
    matches_regex,
    in,
    has,
    ip_match
  };

 private:
  friend class ExpressionCompiler;
  using Scalar = std::variant<std::monostate, bool, double, std::string>;  // monostate: null
  using Operand = std::variant<Scalar, std::vector<Scalar>, Regex, CidrSet>;

  struct Condition {
    Variable variable;
    Operand operand;
    Operator op = Operator::equal;
    bool negated = false;
  };
  enum class Logic : std::uint8_t { all, any, not_all, not_any, condition };
  struct Node {
    Logic logic;
    std::uint32_t index;  // condition: which; else the node after the last child
  };

  Answer evaluate_node(Exchange& x, std::uint32_t& at) const;
  static Answer evaluate_condition(Exchange& x, const Condition& condition);

  std::vector<Node> nodes_;  // preorder
  std::vector<Condition> conditions_;
  std::vector<std::string> unknown_;
};

}  // namespace sluice::plugin
