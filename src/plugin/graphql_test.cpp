// SPDX-License-Identifier: Apache-2.0
#include "plugin/graphql.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::plugin {
namespace {

std::string told(std::string_view document) {
  const auto request = parse_graphql(document);
  if (!request) return "none";
  std::string text = std::string(request->operation) + "/" + std::string(request->name) + "/";
  for (const auto field : request->root_fields) text.append(field).append(" ");
  return text;
}

TEST(Graphql, tells_the_first_definition) {
  const struct {
    const char *document, *told;
  } rows[] = {
      {"{ hero }", "query//hero "},
      {"query { hero(id: 1, deep: {a: [1, \"x\", $v, true], b: {c: RED}}) { name } }", "query//hero "},
      {"query Q($id: ID! = 5 @d, $l: [[Int!]!]) @live { owner, repo }", "query/Q/owner repo "},
      {"mutation M { like(id: 3) { id } }", "mutation/M/like "},
      {"subscription { news }", "subscription//news "},
      {"# words\n{ alias: field(x: \"\"\"block \" \\\"\"\" \"\"\") other @skip(if: true) }",
       "query//field other "},
      {"{ ...Part @a ... on T { b } ... { c } ... @d { e } f }", "query//Part f "},
      {"fragment Part on T { a } query { b }", "/Part/a "},
      {"query A { a } query B { b }", "query/A/a "},
      {"{ query: mutation { on } }", "query//mutation "},
      {"\xEF\xBB\xBF{ \"\" }", "none"},
      {"{ a(x: \"\\\"}\") }", "query//a "},
  };
  for (const auto& row : rows) EXPECT_EQ(told(row.document), row.told) << row.document;
}

TEST(Graphql, tells_nothing_of_what_is_none) {
  for (const char* bad : {"",
                          "   ",
                          "hello",
                          "{",
                          "{}",
                          "{ a ",
                          "{ a } }",
                          "{ a } x",
                          "query",
                          "query Q",
                          "type T { a: Int }",
                          "{ a(: 1) }",
                          "{ a(x 1) }",
                          "{ a(x: ) }",
                          "{ a { } }",
                          "{ a: }",
                          "{ a(x: \"open) }",
                          "{ a(x: \"\n\") }",
                          "query ($a) { b }",
                          "query ($a: [Int) { b }",
                          "{ ?a }",
                          "fragment on on T { a }",
                          "{ ... on { a } }",
                          "{ a @ }"})
    EXPECT_EQ(told(bad), "none") << bad;
}

TEST(Graphql, is_bounded_in_depth) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "{a";
    return text + std::string(static_cast<std::size_t>(depth), '}');
  };
  EXPECT_NE(told(nested(graphql_depth_max)), "none");
  EXPECT_EQ(told(nested(100'000)), "none");
  EXPECT_EQ(told("{ a(x: " + std::string(100'000, '[') + ") }"), "none");
  EXPECT_EQ(told("query ($v: " + std::string(100'000, '[') + ") { a }"), "none");
}

}  // namespace
}  // namespace sluice::plugin
