// SPDX-License-Identifier: Apache-2.0
#include "json/text.h"

#include <gtest/gtest.h>

namespace sluice::json {
namespace {

std::string round(std::string_view text) {
  auto value = parse(text);
  return value ? dump(*value) : "! " + value.error().what;
}

TEST(Json, RoundTrips) {
  struct {
    std::string_view in, out;
  } cases[]{
      {"null", "null"},
      {" [ ] ", "[]"},
      {"{}", "{}"},
      {"7.0", "7"},
      {"-0", "0"},
      {"1e2", "100"},
      {"0.1", "0.1"},
      {"1e-7", "1e-07"},
      {"9223372036854775807", "9223372036854775807"},
      {"9223372036854775808", "9223372036854775808"},
      {R"({"b":1,"a":[true,false,null]})", R"({"b":1,"a":[true,false,null]})"},
      {R"({"a":1,"b":2,"a":3})", R"({"a":3,"b":2})"},
      {R"("\u00e9\ud83d\ude00\n\u0001\/")", "\"\u00e9\U0001F600\\n\\u0001/\""},
      {"1e-400", "0"},
  };
  for (const auto& c : cases) EXPECT_EQ(round(c.in), c.out) << c.in;
}

TEST(Json, RefusesInCjsonsWords) {
  struct {
    std::string_view in, what;
  } cases[]{
      {"", "! Expected value but found T_END at character 1"},
      {"{a", "! Expected object key string but found invalid token at character 2"},
      {"{\"a\"}", "! Expected colon but found T_OBJ_END at character 5"},
      {"{\"a\":1", "! Expected comma or object end but found T_END at character 7"},
      {"[1 2]", "! Expected comma or array end but found T_NUMBER at character 4"},
      {"1 x", "! Expected the end but found invalid token at character 3"},
      {"[1,]", "! Expected value but found T_ARR_END at character 4"},
      {"\"a", "! Expected value but found unexpected end of string at character 1"},
      {"\"\\x\"", "! Expected value but found invalid escape code at character 2"},
      {"\"\\ud800\"", "! Expected value but found invalid unicode escape code at character 2"},
      {"\"\xc0\x80\"", "! Expected value but found a byte that is not UTF-8 at character 2"},
      {"01", "! Expected value but found invalid number at character 1"},
      {"1e999", "! Expected value but found invalid number at character 1"},
      {"-", "! Expected value but found invalid number at character 1"},
      {"NaN", "! Expected value but found invalid token at character 1"},
  };
  for (const auto& c : cases) EXPECT_EQ(round(c.in), c.what) << c.in;
}

TEST(Json, DepthAndCountAreBounded) {
  std::string deep(100000, '[');
  EXPECT_EQ(parse(deep).error().what, "Found too many nested data structures (65)");
  EXPECT_TRUE(parse(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(parse("[1,2,3]", {.values = 3}));
  EXPECT_EQ(parse("[1,2,3]", {.bytes = 3}).error().kind, ErrorKind::limit);
}

TEST(Json, ManyKeysAreNotQuadratic) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
  auto value = parse(text + "}");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->as_object().size(), 200000u);
  auto other = *value;
  merge_patch(other, *value);
  EXPECT_TRUE(other == *value);
}

TEST(Json, EqualityIgnoresOrderOfMembersAndKindOfNumber) {
  EXPECT_EQ(*parse(R"({"a":1,"b":2})"), *parse(R"({"b":2.0,"a":1})"));
  EXPECT_FALSE(*parse("[1,2]") == *parse("[2,1]"));
}

TEST(Json, Pretty) {
  EXPECT_EQ(dump(*parse(R"({"a":[1],"b":{}})"), Style::pretty), "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

TEST(Json, MergePatch) {
  struct {
    std::string_view target, patch, result;
  } cases[]{
      {R"({"a":1,"b":{"c":1,"d":2}})", R"({"b":{"c":null,"e":3}})", R"({"a":1,"b":{"d":2,"e":3}})"},
      {R"({"a":[1,2]})", R"({"a":[3]})", R"({"a":[3]})"},
      {R"({"a":1})", R"({"a":{"b":null,"c":1}})", R"({"a":{"c":1}})"},
      {R"({"a":1})", R"({"a":null,"x":null})", R"({})"},
  };
  for (const auto& c : cases) {
    auto target = *parse(c.target);
    merge_patch(target, *parse(c.patch));
    EXPECT_EQ(dump(target), c.result);
  }
}

TEST(Json, PatchOfASubPath) {
  auto target = *parse(R"({"uri":"/a","plugins":{"p":{"x":1}}})");
  EXPECT_TRUE(patch_path(target, "plugins/p/x", 2));
  EXPECT_TRUE(patch_path(target, "/upstream/nodes", *parse(R"({"127.0.0.1:80":1})")));
  EXPECT_EQ(dump(target), R"({"uri":"/a","plugins":{"p":{"x":2}},"upstream":{"nodes":{"127.0.0.1:80":1}}})");
  EXPECT_TRUE(patch_path(target, "plugins/p", nullptr));
  EXPECT_EQ(dump(*target.find("plugins")), "{}");
  EXPECT_EQ(patch_path(target, "uri/deep/er", 1).error().what, "invalid sub-path: /uri");
}

TEST(Json, Pointer) {
  auto value = *parse(R"({"a":[{"x/y":5}]})");
  ASSERT_TRUE(at_pointer(value, "/a/0/x~1y"));
  EXPECT_EQ(at_pointer(value, "/a/0/" + pointer_segment("x/y"))->as_int(), 5);
  EXPECT_FALSE(at_pointer(value, "/a/1"));
  EXPECT_FALSE(at_pointer(value, "/a/-1/q"));
}

TEST(Yaml, ScalarsAreTypedAsApisixReadsThem) {
  auto value = parse_yaml(
      "a: yes\nb: true\nc: 012\nd: 1.5\ne: \"1\"\nf: ~\ng:\nh: 0x1F\ni: 1.2.3\nj: '*'\nk: -3\nl: [1, x]\n");
  ASSERT_TRUE(value);
  EXPECT_EQ(dump(*value),
            R"({"a":"yes","b":true,"c":12,"d":1.5,"e":"1","f":null,"g":null,"h":31,"i":"1.2.3","j":"*",)"
            R"("k":-3,"l":[1,"x"]})");
}

TEST(Yaml, ErrorsNameTheLine) {
  EXPECT_EQ(parse_yaml("a: 1\nb: [1\n").error().what.substr(0, 5), "line ");
  EXPECT_FALSE(parse_yaml("? [a]\n: 1\n"));
}

TEST(Yaml, AliasBombIsRefused) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    auto was = "*a" + std::to_string(i - 1), is = std::to_string(i);
    bomb += "a" + is + ": &a" + is + " [" + was;
    for (int k = 0; k < 9; ++k) bomb += "," + was;
    bomb += "]\n";
  }
  EXPECT_FALSE(parse_yaml(bomb, {.values = 100000}));
}

TEST(Yaml, WhatIsWrittenIsReadBack) {
  auto value = parse(
      R"({"routes":[{"id":"1","uri":"/a/*","on":"on","nodes":{"10.0.0.1:80":1},)"
      R"("empty":[{},[]],"list":[[1,2],"a b"]}],"cert":"-----BEGIN\nab=\n-----END\n",)"
      R"("half":1.5,"big":1e300,"none":null,"env":"${{HOME}}","star":"*"})");
  ASSERT_TRUE(value);
  const auto written = dump_yaml(*value);
  EXPECT_EQ(
      written,
      "routes:\n  - id: \"1\"\n    uri: /a/*\n    \"on\": \"on\"\n    nodes:\n      \"10.0.0.1:80\": 1\n"
      "    empty:\n      - {}\n      - []\n    list:\n      - - 1\n        - 2\n      - a b\n"
      "cert: |\n  -----BEGIN\n  ab=\n  -----END\nhalf: 1.5\nbig: 1.0e+300\nnone: null\n"
      "env: \"\\x24{{HOME}}\"\nstar: \"*\"\n");
  auto again = parse_yaml(written);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *value);
}

TEST(Yaml, LongKeysAndAwkwardTextsComeBack) {
  auto value = Value::object({{std::string(3000, 'k'), Value::array({1, Value::object({{"a", 1}})})},
                              {"spaces", " a\n  b\n"},
                              {"separators", "a\xe2\x80\xa8 b\xc2\x85"},
                              {"no line end", "a\nb"}});
  auto again = parse_yaml(dump_yaml(value));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, value);
}

}  // namespace
}  // namespace sluice::json
