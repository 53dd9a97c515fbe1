// SPDX-License-Identifier: Apache-2.0
#include "plugin/expression.h"

#include <gtest/gtest.h>

#include <map>

#include "json/text.h"
#include "plugin/template.h"

namespace sluice::plugin {
namespace {

// Variables that read a table of the test, not the exchange they are given.
std::map<std::string, std::string, std::less<>> values;

Variable::Value read_value(Exchange&, const Variable& variable) {
  const auto found = values.find(variable.argument());
  if (found == values.end()) return std::nullopt;
  return found->second;
}

Variable find_value(std::string_view name) {
  if (name.starts_with("unknown")) return {};
  return Variable(read_value, std::string(name), 0,
                  name.starts_with("list_") ? Variable::Shape::list : Variable::Shape::text);
}

Exchange& no_exchange() {
  alignas(16) static char never_read[16];
  return reinterpret_cast<Exchange&>(never_read);
}

json::Value parse(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value ? *value : json::Value();
}

class ExpressionTest : public testing::Test {
 protected:
  void SetUp() override {
    values = {{"arg_a", "v"},
              {"arg_n", "24"},
              {"arg_e", ""},
              {"http_x", "Hello"},
              {"uri", "/a/b1"},
              {"remote_addr", "10.1.2.3"},
              {"list_r", "users\norders"}};
  }
};

TEST_F(ExpressionTest, operators) {
  const struct {
    const char* rule;
    bool yes;
  } rows[] = {
      {R"([])", true},
      {R"([["arg_a","==","v"]])", true},
      {R"([["arg_a","v"]])", true},
      {R"([["arg_a","w"]])", false},
      {R"([["arg_a","~=","w"]])", true},
      {R"([["arg_none","~=","w"]])", true},
      {R"([["arg_none","==",null]])", true},
      {R"([["arg_a","==",null]])", false},
      {R"([["arg_a","~=",null]])", true},
      {R"([["arg_none","=="]])", true},
      {R"([["arg_e","==",""]])", true},
      {R"([["arg_n","==",24]])", true},
      {R"([["arg_n","==",24.0]])", true},
      {R"([["arg_n","==","24.0"]])", false},
      {R"([["arg_a","==",24]])", false},
      {R"([["arg_a","~=",24]])", true},
      {R"([["arg_n",">",23]])", true},
      {R"([["arg_n",">","23"]])", true},
      {R"([["arg_n",">",24]])", false},
      {R"([["arg_n",">=",24]])", true},
      {R"([["arg_n","<",24]])", false},
      {R"([["arg_n","<=",24]])", true},
      {R"([["arg_a","<",24]])", false},
      {R"([["arg_none","<",24]])", false},
      {R"([["arg_a","==",true]])", false},
      {R"([["http_x","~~","^He"]])", true},
      {R"([["http_x","~~","^he"]])", false},
      {R"([["http_x","~*","^he"]])", true},
      {R"([["http_x","!","~~","^He"]])", false},
      {R"([["arg_none","~~",".*"]])", false},
      {R"([["arg_none","!","~~",".*"]])", true},
      {R"_([["uri","~~","^/a/(?!c)"]])_", true},
      {R"([["arg_a","in",["u","v"]]])", true},
      {R"([["arg_a","IN",["u","w"]]])", false},
      {R"([["arg_a","!","in",["u","w"]]])", true},
      {R"([["arg_n","in",[24]]])", false},
      {R"([["arg_a","in","v"]])", false},
      {R"([["list_r","has","orders"]])", true},
      {R"([["list_r","has","order"]])", false},
      {R"([["list_r","!","has","order"]])", true},
      {R"([["arg_a","has","v"]])", false},
      {R"([["remote_addr","ipmatch",["10.0.0.0/8","::1"]]])", true},
      {R"([["remote_addr","ipmatch","192.168.0.0/16"]])", false},
      {R"([["arg_a","ipmatch","192.168.0.0/16"]])", false},
      {R"([["arg_a","!","ipmatch","192.168.0.0/16"]])", true},
      {R"([["unknown_x","==",null]])", true},
  };
  for (const auto& row : rows) {
    const auto expression = Expression::compile(parse(row.rule), find_value);
    ASSERT_TRUE(expression) << row.rule << " " << expression.error().what;
    EXPECT_EQ(expression->matches(no_exchange()), row.yes) << row.rule;
  }
}

TEST_F(ExpressionTest, logic) {
  const std::string yes = R"(["arg_a","==","v"])", no = R"(["arg_a","==","w"])";
  const struct {
    std::string rule;
    bool yes;
  } rows[] = {
      {"[" + yes + "," + yes + "]", true},
      {"[" + yes + "," + no + "]", false},
      {R"(["AND",)" + yes + "," + yes + "]", true},
      {R"(["OR",)" + no + "," + yes + "]", true},
      {R"(["or",)" + no + "," + no + "]", false},
      {R"(["!AND",)" + yes + "," + no + "]", true},
      {R"(["!AND",)" + yes + "," + yes + "]", false},
      {R"(["!OR",)" + no + "," + no + "]", true},
      {R"(["!OR",)" + no + "," + yes + "]", false},
      {"[" + yes + R"(,["OR",)" + no + R"(,["AND",)" + yes + "," + yes + "]]]", true},
      {R"([["OR",)" + yes + "," + no + "]," + no + "]", false},
      {R"(["AND",["!OR",)" + no + "," + no + R"(],["OR",)" + yes + "," + no + "]]", true},
      {"[[" + yes + "," + yes + "]," + yes + "]", true},
  };
  for (const auto& row : rows) {
    const auto expression = Expression::compile(parse(row.rule), find_value);
    ASSERT_TRUE(expression) << row.rule << " " << expression.error().what;
    EXPECT_EQ(expression->matches(no_exchange()), row.yes) << row.rule;
  }
}

TEST_F(ExpressionTest, says_what_is_wrong_and_where) {
  const struct {
    const char *rule, *path, *what;
  } rows[] = {
      {R"([["arg_a","=","v"]])", "/0", "invalid operator '='"},
      {R"([["arg_a","==","v"],["OR",["arg_a","v"],["b","<>","c"]]])", "/1/2", "invalid operator '<>'"},
      {R"(["arg_a","==","v"])", "", "rule should be wrapped inside brackets"},
      {R"(["OR"])", "", "rule too short"},
      {R"(["OR",["arg_a","v"]])", "", "rule too short"},
      {R"([[]])", "/0", "rule too short"},
      {R"([{}])", "/0", "rule too short"},
      {R"([["arg_a"]])", "/0", "invalid expression"},
      {R"([["arg_a","v"],"x"])", "/1", "invalid expression"},
      {R"([[1,"==","x"]])", "/0", "invalid expression"},
      {R"([["arg_a","x","~~","y"]])", "/0", "bad 'not' expression"},
      {R"([["arg_a","ipmatch",[]]])", "/0", "invalid ip address"},
      {R"([["arg_a","ipmatch"]])", "/0", "invalid ip address"},
      {R"({})", "", "an expression is an array of conditions"},
  };
  for (const auto& row : rows) {
    const auto expression = Expression::compile(parse(row.rule), find_value);
    ASSERT_FALSE(expression) << row.rule;
    EXPECT_EQ(expression.error().what, row.what) << row.rule;
    EXPECT_EQ(expression.error().path, row.path) << row.rule;
  }
  std::string deep = R"(["a","b"])";
  for (int i = 0; i < 40; ++i) deep = "[" + deep + "]";
  EXPECT_FALSE(Expression::compile(parse(deep), find_value));
  EXPECT_FALSE(Expression::compile(parse(R"_([["a","~~","("]])_"), find_value));
  EXPECT_FALSE(Expression::compile(parse(R"([["a","ipmatch",["10.0.0.0/99"]]])"), find_value));
}

TEST_F(ExpressionTest, is_undecided_when_the_budget_ends) {
  values["arg_a"] = std::string(40, 'a') + "b";
  const auto rule = parse(R"_([["arg_a","!","~~","^(?=x?)(a+)+$"]])_");
  EXPECT_EQ(Expression::compile(rule, find_value)->evaluate(no_exchange()), Expression::Answer::undecided);
  EXPECT_EQ(Expression::compile(parse(R"([["unknown_y","z"]])"), find_value)->unknown(),
            std::vector<std::string>{"unknown_y"});
}

TEST_F(ExpressionTest, templates_render) {
  const struct {
    const char *text, *result;
    std::size_t present;
    Template::Syntax syntax;
  } rows[] = {
      {"plain", "plain", 0, Template::Syntax::apisix},
      {"$arg_a", "v", 1, Template::Syntax::apisix},
      {"<$arg_a-${arg_n}>", "<v-24>", 2, Template::Syntax::apisix},
      {"a\\$arg_a", "a\\$arg_a", 0, Template::Syntax::apisix},
      {"$arg_none|", "|", 0, Template::Syntax::apisix},
      {"${arg_none ?? x y}|", "x y|", 1, Template::Syntax::apisix},
      {"${ arg_a??x }|", "v|", 1, Template::Syntax::apisix},
      {"$", "$", 0, Template::Syntax::apisix},
      {"$ {a} ${} ${x", "$ {a} ${} ${x", 0, Template::Syntax::apisix},
      {"$arg_a.b|", "|", 0, Template::Syntax::apisix},
      {"$arg_a.b|", "v.b|", 1, Template::Syntax::nginx},
  };
  for (const auto& row : rows) {
    std::string out;
    EXPECT_EQ(Template::compile(row.text, find_value, row.syntax).render(no_exchange(), out), row.present)
        << row.text;
    EXPECT_EQ(out, row.result) << row.text;
  }
  std::string out;
  const auto shout = [](std::string_view value, std::string& to) { to.append(value).append("!"); };
  Template::compile("$arg_a $arg_none", find_value).render(no_exchange(), out, shout, "-");
  EXPECT_EQ(out, "v! -");
  EXPECT_TRUE(Template::compile("x", find_value).is_constant());
}

}  // namespace
}  // namespace sluice::plugin
