// SPDX-License-Identifier: Apache-2.0
#include "json/schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "json/text.h"

namespace sluice::json {
namespace {

// What is wrong with the value, "" when nothing is.
std::string wrong(std::string_view schema, std::string_view value) {
  const auto document = parse(schema);
  const auto compiled = Schema::compile(*document);
  if (!compiled) return "schema: " + compiled.error().what;
  Value parsed = *parse(value);
  return compiled->check(parsed).value_or("");
}

struct Row {
  const char *schema, *value, *wrong;
};
class SchemaRows : public testing::TestWithParam<Row> {};
TEST_P(SchemaRows, are_judged) {
  const auto& row = GetParam();
  EXPECT_EQ(wrong(row.schema, row.value), row.wrong) << row.schema << " " << row.value;
}
INSTANTIATE_TEST_SUITE_P(
    All, SchemaRows,
    testing::Values(
        Row{R"({"type": "object", "required": ["a"]})", "{}", "property \"a\" is required"},
        Row{R"({"properties": {"a": {"type": "boolean"}}})", R"({"a": "x"})",
            "property \"a\" validation failed: wrong type: expected boolean, got string"},
        Row{R"({"properties": {"a": {"enum": ["x", "y"]}}})", R"({"a": "z"})",
            "property \"a\" validation failed: matches none of the enum values"},
        Row{R"({"type": "integer"})", "7.0", ""},
        Row{R"({"type": "integer"})", "7.5", "wrong type: expected integer, got number"},
        Row{R"({"type": ["integer", "string"]})", "true",
            "wrong type: expected one of integer, string, got boolean"},
        Row{R"({"minimum": 10})", "9", "expected 9 to be at least 10"},
        Row{R"({"exclusiveMinimum": 10})", "10", "expected 10 to be greater than 10"},
        Row{R"({"maximum": 10, "exclusiveMaximum": true})", "10", "expected 10 to be smaller than 10"},
        Row{R"({"multipleOf": 0.1})", "0.3", ""},
        Row{R"({"multipleOf": 2})", "3", "expected 3 to be a multiple of 2"},
        Row{R"({"minLength": 2})", "\"\u00fc\"", "string too short, expected at least 2, got 1"},
        Row{R"({"pattern": "^a+$"})", "\"ab\"", "failed to match pattern \"^a+$\" with \"ab\""},
        Row{R"({"items": {"type": "integer"}})", R"([1, "a"])",
            "failed to validate item 2: wrong type: expected integer, got string"},
        Row{R"({"items": [{}, {"type": "integer"}], "additionalItems": false})", "[1, 2, 3]",
            "failed to validate item 3: no value is allowed here"},
        Row{R"({"uniqueItems": true})", R"([{"a": 1, "b": 2}, 3, {"b": 2, "a": 1.0}])",
            "expected unique items but items 1 and 3 are equal"},
        Row{R"({"contains": {"const": 5}})", "[1, 2]", "no item is one that the array has to contain"},
        Row{R"({"properties": {"a": {}}, "patternProperties": {"^x": {}}, "additionalProperties": false})",
            R"({"a": 1, "xy": 2, "b": 3})", "additional properties forbidden, found b"},
        Row{R"({"propertyNames": {"maxLength": 1}})", R"({"ab": 1})",
            "property \"ab\" validation failed: string too long, expected at most 1, got 2"},
        Row{R"({"dependencies": {"a": ["b"]}})", R"({"a": 1})",
            "property \"b\" is required when \"a\" is set"},
        Row{R"({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]})", "{}",
            "object matches none of the required"},
        Row{R"({"oneOf": [{"type": "integer"}, {"minimum": 2}]})", "3",
            "value should match only one schema, but matches both schemas 1 and 2"},
        Row{R"({"not": {"type": "integer"}})", "3", "value wasn't supposed to match schema"},
        Row{R"({"if": {"minimum": 10}, "then": {"multipleOf": 5}, "else": {"multipleOf": 2}})", "11",
            "then clause did not match: expected 11 to be a multiple of 5"},
        Row{R"({"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"type": "null"}}})", "1",
            "wrong type: expected null, got number"},
        Row{R"({"properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}})",
            R"({"child": {"child": {"n": "x"}}})",
            "property \"child\" validation failed: property \"child\" validation failed: property \"n\" "
            "validation "
            "failed: wrong type: expected integer, got string"},
        Row{R"({"$ref": "#"})", "1", "the schema refers to itself"},
        Row{R"({"minimum": "x"})", "1", "schema: /minimum must be a number"},
        Row{R"({"properties": {"a": {"pattern": "("}}})", "1",
            "schema: /properties/a/pattern regular expression \"(\" is not valid at character 1: missing "
            "closing parenthesis"},
        Row{R"({"$ref": "http://evil/"})", "1",
            "schema: /$ref must point inside the schema (\"#/definitions/name\"), not to http://evil/"},
        Row{R"({"type": "objekt"})", "1", "schema: /type must name types of JSON"}));

TEST(Schema, fills_in_defaults) {
  const auto document =
      parse(R"({"properties": {"a": {"default": 7}, "b": {"properties": {"c": {"default": "x"}}}}})");
  Value value = *parse(R"({"b": {}})");
  EXPECT_EQ(Schema::compile(*document)->check(value), std::nullopt);
  EXPECT_EQ(dump(value), R"({"b":{"c":"x"},"a":7})");
}

TEST(Schema, is_bounded) {
  std::string deep;
  for (int i = 0; i < 60; ++i) deep += "[";
  for (int i = 0; i < 60; ++i) deep += "]";
  EXPECT_EQ(wrong(R"({"items": {"$ref": "#"}})", deep), "");
  // Asked in vain twice at every level.
  const std::string doubling =
      R"({"anyOf": [{"items": {"$ref": "#"}, "maxItems": 0}, {"items": {"$ref": "#"}, "maxItems": 0}]})";
  EXPECT_NE(wrong(doubling, deep), "");
  std::string wide =
      R"({"anyOf": [{"items": {"$ref": "#"}, "not": {}}, {"items": {"$ref": "#"}, "not": {}}]})";
  EXPECT_NE(wrong(wide, deep), "");
}

// What is wrong with a value of which only the members are left that the schema says it asks for.
std::optional<std::string> problem_of_asked(const Schema& schema, Value value) {
  const auto asked = schema.members_asked();
  if (asked && value.is_object()) {
    Value rest = Value::object();
    for (const auto& [name, member] : value.as_object())
      if (std::ranges::find(*asked, name) != asked->end()) rest.set(name, member);
    value = std::move(rest);
  }
  return schema.check(value);
}

TEST(Schema, tells_the_members_it_asks_for) {
  const auto asked = [](std::string_view text) { return Schema::compile(*parse(text))->members_asked(); };
  using Names = std::vector<std::string>;
  EXPECT_EQ(asked(R"({"required": ["b"], "properties": {"a": {"additionalProperties": false}}})"),
            (Names{"a", "b"}));
  EXPECT_EQ(asked(R"({"allOf": [{"required": ["a"]}, {"$ref": "#"}], "not": {"required": ["b"]}})"),
            (Names{"a", "b"}));
  EXPECT_EQ(asked(R"({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}})"),
            (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(asked("{}"), Names());
  for (const char* any : {R"({"additionalProperties": false})", R"({"propertyNames": {"maxLength": 3}})",
                          R"({"patternProperties": {"^a": {}}})", R"({"minProperties": 1})",
                          R"({"if": {"maxProperties": 1}})", R"({"const": {}})",
                          R"({"anyOf": [{"enum": [{}]}]})"})
    EXPECT_EQ(asked(any), std::nullopt) << any;
}

// The draft's own tests, where Debian's json-schema-test-suite is installed.
TEST(Schema, holds_the_suite_of_draft_7) {
  const std::filesystem::path folder = "/usr/share/json-schema-test-suite/tests/draft7";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "json-schema-test-suite is not installed";
  int asked = 0, skipped = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".json") continue;
    std::ifstream in(file.path());
    std::stringstream text;
    text << in.rdbuf();
    const auto cases = parse(text.str());
    ASSERT_TRUE(cases) << file.path();
    for (const Value& one : cases->as_array()) {
      const auto schema = Schema::compile(*one.find("schema"));
      for (const Value& test : one.find("tests")->as_array()) {
        Value data = *test.find("data");
        if (!schema) {  // references to other documents
          EXPECT_NE(schema.error().what.find("$ref"), std::string::npos)
              << file.path() << one.text("description") << ": " << schema.error().what;
          ++skipped;
          continue;
        }
        const auto problem = schema->check(data);
        EXPECT_EQ(problem_of_asked(*schema, *test.find("data")), problem) << one.text("description");
        EXPECT_EQ(!problem, test.find("valid")->as_bool())
            << file.path().filename() << ": " << one.text("description") << ": " << test.text("description")
            << ": " << problem.value_or("");
        ++asked;
      }
    }
  }
  EXPECT_GT(asked, 300);
  EXPECT_LT(skipped, asked / 5);
}

}  // namespace
}  // namespace sluice::json
