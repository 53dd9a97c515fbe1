// SPDX-License-Identifier: Apache-2.0
#include "plugin/expression.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace sluice::plugin {
namespace {

using Operator = Expression::Operator;
using Answer = Expression::Answer;

struct Word {
  std::string_view text;
  Operator op;
  bool ignore_case;
};
constexpr std::array words = {Word{"==", Operator::equal, false},
                              Word{"~=", Operator::not_equal, false},
                              Word{">", Operator::greater, false},
                              Word{">=", Operator::greater_equal, false},
                              Word{"<", Operator::less, false},
                              Word{"<=", Operator::less_equal, false},
                              Word{"~~", Operator::matches_regex, false},
                              Word{"~*", Operator::matches_regex, true},
                              Word{"in", Operator::in, false},
                              Word{"has", Operator::has, false},
                              Word{"ipmatch", Operator::ip_match, false}};

const Word* find_word(std::string_view text) {
  const auto found = std::find_if(words.begin(), words.end(),
                                  [&](const Word& word) { return equals_ignoring_case(word.text, text); });
  return found == words.end() ? nullptr : &*found;
}

constexpr Answer answer(bool yes) { return yes ? Answer::yes : Answer::no; }

}  // namespace

// Reads the notation once, front to back; the first mistake ends it.
class ExpressionCompiler {
 public:
  ExpressionCompiler(const VariableFinder& find, Expression& into) : find_(find), into_(into) {}

  bool compile(const json::Value& rule) {
    if (!rule.is_array()) return problem("an expression is an array of conditions");
    const json::Array& items = rule.as_array();
    if (items.empty()) return true;
    if (!items[0].is_array() && !items[0].is_object() &&
        !(items[0].is_string() && logic_of(items[0].as_string()))) {
      return problem("rule should be wrapped inside brackets");
    }
    return compile_rule(rule, 1);
  }

  ExpressionProblem take_problem() { return std::move(problem_); }

 private:
  using Logic = Expression::Logic;
  using Scalar = Expression::Scalar;

  bool problem(std::string what) {
    problem_ = {path_, std::move(what)};
    return false;
  }

  static std::optional<Logic> logic_of(std::string_view text) {
    if (equals_ignoring_case(text, "AND")) return Logic::all;
    if (equals_ignoring_case(text, "OR")) return Logic::any;
    if (equals_ignoring_case(text, "!AND")) return Logic::not_all;
    if (equals_ignoring_case(text, "!OR")) return Logic::not_any;
    return std::nullopt;
  }

  bool compile_rule(const json::Value& rule, int depth) {
    if (depth > Expression::depth_max) return problem("conditions are nested deeper than 32 levels");
    if (!rule.is_array() && !rule.is_object()) return problem("invalid expression");
    if (rule.is_object() || rule.as_array().empty()) return problem("rule too short");
    const json::Array& items = rule.as_array();
    if (items[0].is_array() || items[0].is_object()) return compile_group(items, 0, Logic::all, depth);
    if (!items[0].is_string()) return problem("invalid expression");
    if (const auto logic = logic_of(items[0].as_string())) {
      if (items.size() <= 2) return problem("rule too short");
      return compile_group(items, 1, *logic, depth);
    }
    return compile_condition(items);
  }

  bool compile_group(const json::Array& items, std::size_t first, Logic logic, int depth) {
    const std::size_t self = into_.nodes_.size();
    into_.nodes_.push_back({logic, 0});
    for (std::size_t i = first; i < items.size(); ++i) {
      const std::size_t length = path_.size();
      path_ += "/" + std::to_string(i);
      if (!compile_rule(items[i], depth + 1)) return false;
      path_.resize(length);
    }
    into_.nodes_[self].index = static_cast<std::uint32_t>(into_.nodes_.size());
    return true;
  }

  bool compile_condition(const json::Array& items) {
    const bool negated = items.size() == 4;
    if (negated && !(items[1].is_string() && items[1].as_string() == "!"))
      return problem("bad 'not' expression");
    const json::Value* op = items.size() > 1 ? &items[negated ? 2 : 1] : nullptr;
    const json::Value* right = items.size() > 2 ? &items[negated ? 3 : 2] : nullptr;
    if (op == nullptr || op->is_array() || op->is_object() || op->is_null())
      return problem("invalid expression");
    const Word* word = op->is_string() ? find_word(op->as_string()) : nullptr;
    if (word == nullptr) {
      if (right != nullptr) return problem("invalid operator '" + text_of(*op) + "'");
      right = op;  // the old form of two elements: ["arg_a", "v"]
      word = find_word("==");
    }
    if (into_.conditions_.size() >= Expression::conditions_max) return problem("more than 10000 conditions");
    Expression::Condition condition;
    condition.op = word->op;
    condition.negated = negated;
    if (!compile_operand(*word, right, condition.operand)) return false;
    condition.variable = find_(items[0].as_string());
    if (!condition.variable) into_.unknown_.push_back(items[0].as_string());
    into_.nodes_.push_back({Logic::condition, static_cast<std::uint32_t>(into_.conditions_.size())});
    into_.conditions_.push_back(std::move(condition));
    return true;
  }

  bool compile_operand(const Word& word, const json::Value* right, Expression::Operand& operand) {
    if (word.op == Operator::ip_match) return compile_networks(right, operand);
    if (word.op == Operator::matches_regex) {
      if (right == nullptr || !(right->is_string() || right->is_number())) {
        return problem("operator '" + std::string(word.text) + "' needs a regular expression on its right");
      }
      auto regex = Regex::compile(text_of(*right), word.ignore_case ? "i" : "");
      if (!regex) return problem(std::move(regex.error().what));
      operand = std::move(*regex);
      return true;
    }
    if (right != nullptr && right->is_array()) {
      std::vector<Scalar> list;
      for (const json::Value& item : right->as_array()) list.push_back(scalar_of(item));
      operand = std::move(list);
      return true;
    }
    operand = right == nullptr ? Scalar() : scalar_of(*right);
    return true;
  }

  bool compile_networks(const json::Value* right, Expression::Operand& operand) {
    std::vector<std::string> texts;
    if (right != nullptr && right->is_string() && !right->as_string().empty())
      texts.push_back(right->as_string());
    if (right != nullptr && right->is_array()) {
      for (const json::Value& item : right->as_array()) texts.push_back(text_of(item));
    }
    if (texts.empty()) return problem("invalid ip address");
    auto set = CidrSet::parse(texts);
    if (!set) return problem("invalid ip address: " + set.error().what);
    operand = std::move(*set);
    return true;
  }

  static Scalar scalar_of(const json::Value& value) {
    switch (value.kind()) {
      case json::Kind::boolean:
        return value.as_bool();
      case json::Kind::integer:
      case json::Kind::number:
        return value.as_double();
      case json::Kind::string:
        return value.as_string();
      default:
        return {};
    }
  }

  static std::string text_of(const json::Value& value) {
    if (value.is_string()) return value.as_string();
    std::string text;
    if (value.is_number()) append_number(text, value.as_double());
    if (value.is_bool()) text = value.as_bool() ? "true" : "false";
    return text;
  }

  const VariableFinder& find_;
  Expression& into_;
  ExpressionProblem problem_;
  std::string path_;
};

std::expected<Expression, ExpressionProblem> Expression::compile(const json::Value& rule,
                                                                 const VariableFinder& find) {
  Expression expression;
  ExpressionCompiler compiler(find, expression);
  if (!compiler.compile(rule)) return std::unexpected(compiler.take_problem());
  expression.nodes_.shrink_to_fit();
  expression.conditions_.shrink_to_fit();
  return expression;
}

namespace {

using Scalar = std::variant<std::monostate, bool, double, std::string>;

// Lua's == between a variable (text or nil) and a constant, with a numeric constant asking for a number.
bool equals(const Variable::Value& left, const Scalar& right) {
  if (const auto* text = std::get_if<std::string>(&right)) return left && *left == *text;
  if (std::holds_alternative<std::monostate>(right)) return !left;
  if (const auto* number = std::get_if<double>(&right)) {
    const auto value = left ? parse_number(*left) : std::nullopt;
    return value && *value == *number;
  }
  return false;
}

bool compares(Operator op, const Variable::Value& left, const Scalar& right) {
  std::optional<double> bound;
  if (const auto* number = std::get_if<double>(&right)) bound = *number;
  if (const auto* text = std::get_if<std::string>(&right)) bound = parse_number(*text);
  const auto value = left ? parse_number(*left) : std::nullopt;
  if (!value || !bound) return false;
  switch (op) {
    case Operator::greater:
      return *value > *bound;
    case Operator::greater_equal:
      return *value >= *bound;
    case Operator::less:
      return *value < *bound;
    default:
      return *value <= *bound;
  }
}

// Elements of other types than text never equal a variable, as in Lua.
bool is_in(const Variable::Value& left, const std::vector<Scalar>& list) {
  return left && std::any_of(list.begin(), list.end(), [&](const Scalar& item) {
           const auto* text = std::get_if<std::string>(&item);
           return text != nullptr && *text == *left;
         });
}

bool list_has(const Variable::Value& left, const Scalar& right) {
  if (!left) return false;
  for (std::string_view item : Split(*left, '\n')) {
    if (equals(item, right)) return true;
  }
  return false;
}

// What is compared is a list, as Lua has a table there: it equals nothing.
bool is_list(const Variable& variable, const Variable::Value& value) {
  const bool either = variable.shape() == Variable::Shape::either;
  return variable.shape() == Variable::Shape::list || (either && value && value->starts_with('\n'));
}

// true and false of a JSON body.
bool is_truth(const Variable& variable, const Variable::Value& left, const Scalar& right) {
  const auto* truth = std::get_if<bool>(&right);
  return truth != nullptr && variable.shape() == Variable::Shape::either &&
         left == (*truth ? "true" : "false");
}

bool ip_matches(const Variable::Value& left, const CidrSet& networks) {
  const auto address = left ? IpAddress::parse(*left) : std::nullopt;
  return address && networks.contains(*address);
}

}  // namespace

Answer Expression::evaluate_condition(Exchange& x, const Condition& condition) {
  const Variable::Value left = condition.variable.read(x);
  const auto* scalar = std::get_if<Scalar>(&condition.operand);
  bool yes = false;
  if (is_list(condition.variable, left)) {
    yes = condition.op == Operator::has ? scalar && list_has(left, *scalar)
                                        : condition.op == Operator::not_equal;
    return answer(yes != condition.negated);
  }
  switch (condition.op) {
    case Operator::equal:
      yes = scalar && (equals(left, *scalar) || is_truth(condition.variable, left, *scalar));
      break;
    case Operator::not_equal:
      yes = !(scalar && (equals(left, *scalar) || is_truth(condition.variable, left, *scalar)));
      break;
    case Operator::greater:
    case Operator::greater_equal:
    case Operator::less:
    case Operator::less_equal:
      yes = scalar && compares(condition.op, left, *scalar);
      break;
    case Operator::matches_regex:
      if (left) {
        const Regex::Outcome outcome = std::get<Regex>(condition.operand).match(*left);
        if (outcome == Regex::Outcome::exhausted) return Answer::undecided;
        yes = outcome == Regex::Outcome::match;
      }
      break;
    case Operator::in:
      yes = !scalar && is_in(left, std::get<std::vector<Scalar>>(condition.operand));
      break;
    case Operator::has:
      break;  // this is no list
    case Operator::ip_match:
      yes = ip_matches(left, std::get<CidrSet>(condition.operand));
      break;
  }
  return answer(yes != condition.negated);
}

Answer Expression::evaluate_node(Exchange& x, std::uint32_t& at) const {
  const Node node = nodes_[at++];
  if (node.logic == Logic::condition) return evaluate_condition(x, conditions_[node.index]);
  const bool any = node.logic == Logic::any || node.logic == Logic::not_any;
  const bool inverted = node.logic == Logic::not_all || node.logic == Logic::not_any;
  bool result = !any;
  while (at < node.index) {
    const Answer child = evaluate_node(x, at);
    if (child == Answer::undecided) return child;
    if ((child == Answer::yes) == any) {
      result = any;
      break;
    }
  }
  at = node.index;
  return answer(result != inverted);
}

Answer Expression::evaluate(Exchange& x) const {
  if (nodes_.empty()) return Answer::yes;
  std::uint32_t at = 0;
  return evaluate_node(x, at);
}

}  // namespace sluice::plugin
