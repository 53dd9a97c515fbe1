// SPDX-License-Identifier: Apache-2.0
#include "plugin/request_body.h"

#include <gtest/gtest.h>

#include "plugin/expression.h"
#include "plugin/testing.h"

namespace sluice::plugin {
namespace {

using testing::Bench;
using testing::Call;
using testing::PiecedBody;

class RequestBodyTest : public ::testing::Test {
 protected:
  void ask(std::string_view type, std::vector<std::string> pieces, std::string_view method = "POST",
           std::string_view target = "/") {
    call.emplace(bench, target, method);
    if (!type.empty()) call->header("Content-Type", type);
    body.emplace(std::move(pieces));
    call->x.request.body = &*body;
    call->x.request.content_length = http::unknown_length;
  }
  void hold() { EXPECT_TRUE(bench.wait(hold_body(call->x))); }
  std::string read(std::string_view name) {
    const Variable variable = find_variable(name);
    EXPECT_TRUE(variable) << name;
    const auto value = variable.read(call->x);
    return value ? std::string(*value) : "<absent>";
  }
  bool holds(std::string_view rule) {
    const auto expression = Expression::compile(testing::parsed(rule), find_variable);
    EXPECT_TRUE(expression) << rule;
    return expression && expression->unknown().empty() && expression->matches(call->x);
  }

  Bench bench;
  std::optional<PiecedBody> body;
  std::optional<Call> call;
};

TEST_F(RequestBodyTest, is_wanted_and_then_held) {
  ask("application/x-www-form-urlencoded; charset=utf-8", {"a=1&b", "=x+y&a=2"});
  EXPECT_EQ(read("post_arg_a"), "<absent>");
  EXPECT_TRUE(call->x.wants_body);
  hold();
  EXPECT_FALSE(call->x.wants_body);
  EXPECT_EQ(read("post_arg_a"), "1");
  EXPECT_EQ(read("post_arg_b"), "x y");
  EXPECT_EQ(read("post_arg.b"), "x y");
  EXPECT_EQ(read("post_arg_c"), "<absent>");
  EXPECT_EQ(read("request_body"), "a=1&b=x+y&a=2");
  EXPECT_EQ(call->x.request.content_length, 13);
  EXPECT_EQ(bench.wait(testing::read_all(*call->x.request.body)), "a=1&b=x+y&a=2");
}

TEST_F(RequestBodyTest, is_not_wanted_where_it_says_nothing) {
  ask("multipart/form-data", {"a=1"});
  EXPECT_EQ(read("post_arg_a"), "<absent>");
  EXPECT_FALSE(call->x.wants_body);
  ask("text/plain", {"a=1"});
  EXPECT_EQ(read("post_arg.a"), "<absent>");
  EXPECT_FALSE(call->x.wants_body);
}

TEST_F(RequestBodyTest, beyond_the_limit_passes_unread) {
  bench.worker.body_limits = {8, 4};
  ask("application/x-www-form-urlencoded", {"a=1&b=2", "&c=3", "&d=4"});
  hold();
  EXPECT_EQ(read("post_arg_a"), "<absent>");
  EXPECT_FALSE(call->x.wants_body);
  EXPECT_EQ(call->x.request.content_length, http::unknown_length);
  EXPECT_EQ(bench.wait(testing::read_all(*call->x.request.body)), "a=1&b=2&c=3&d=4");
  ask("", {"{ a }"});
  hold();
  EXPECT_EQ(read("graphql_name"), "<absent>");
  EXPECT_EQ(read("request_body"), "{ a }");
}

TEST_F(RequestBodyTest, json_by_path) {
  ask("application/json",
      {R"({"model":"m","n":5,"on":true,"none":null,"tags":["x","y",7],"o":{"p":{"q":"deep"}},)",
       R"("messages":[{"role":"user","content":[{"type":"text"},{"type":"image_url"}]}]})"});
  hold();
  EXPECT_EQ(read("post_arg.model"), "m");
  EXPECT_EQ(read("post_arg.o.p.q"), "deep");
  EXPECT_EQ(read("post_arg.o.p"), "<absent>");
  EXPECT_EQ(read("post_arg.model.x"), "<absent>");
  const struct {
    const char* rule;
    bool yes;
  } rows[] = {
      {R"([["post_arg.model","==","m"]])", true},
      {R"([["post_arg.n","==",5]])", true},
      {R"([["post_arg.n",">",4]])", true},
      {R"([["post_arg.on","==",true]])", true},
      {R"([["post_arg.on","==",false]])", false},
      {R"([["post_arg.on","~=",true]])", false},
      {R"([["post_arg.none","==",null]])", true},
      {R"([["post_arg.tags","has","x"]])", true},
      {R"([["post_arg.tags","has",7]])", true},
      {R"([["post_arg.tags","has","z"]])", false},
      {R"([["post_arg.tags","==","x"]])", false},
      {R"([["post_arg.model","has","m"]])", false},
      {R"([["post_arg.messages[*].content[*].type","has","image_url"]])", true},
      {R"([["post_arg.messages[*].content[*].type","!","has","image_url"]])", false},
      {R"([["post_arg.messages..role","has","user"]])", true},
      {R"([["post_arg.messages[0].role","==","user"]])", false},  // a list, as in APISIX
  };
  for (const auto& row : rows) EXPECT_EQ(holds(row.rule), row.yes) << row.rule;
}

TEST_F(RequestBodyTest, multipart_by_path) {
  ask("multipart/form-data; boundary=X",
      {"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--X--\r\n"});
  hold();
  EXPECT_EQ(read("post_arg.a"), "v");
}

TEST_F(RequestBodyTest, graphql) {
  ask("", {"query Who { owner repo { name } }"});
  hold();
  EXPECT_TRUE(holds(R"([["graphql_operation","==","query"],["graphql_name","==","Who"],
                        ["graphql_root_fields","has","repo"],["graphql_root_fields","!","has","name"]])"));
  ask("application/json", {R"({"query":"mutation { like }"})"});
  hold();
  EXPECT_EQ(read("graphql_operation"), "mutation");
  EXPECT_EQ(read("graphql_name"), "");
  ask("", {}, "GET", "/graphql?query=query%20%7B%20who%20%7D");
  EXPECT_TRUE(holds(R"([["graphql_root_fields","has","who"]])"));
  for (const char* bad : {"hello", "", "{\"query\":7}"}) {
    ask("application/json", {bad});
    hold();
    EXPECT_EQ(read("graphql_operation"), "<absent>");
    EXPECT_EQ(read("graphql_root_fields"), "<absent>");
  }
}

TEST_F(RequestBodyTest, names) {
  EXPECT_FALSE(find_variable("post_arg.a[?(@.b)]"));
  EXPECT_FALSE(find_variable("post_args"));
  EXPECT_FALSE(find_variable("graphql_else"));
  EXPECT_TRUE(mentions_body_variable(testing::parsed(R"({"key":"$post_arg_a"})")));
  EXPECT_FALSE(mentions_body_variable(testing::parsed(R"({"key":"$arg_a"})")));
}

}  // namespace
}  // namespace sluice::plugin
