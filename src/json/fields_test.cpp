// SPDX-License-Identifier: Apache-2.0
#include "json/fields.h"

#include <gtest/gtest.h>

#include "json/choice.h"
#include "json/text.h"
#include "json/units.h"

namespace sluice::json {
namespace {

struct Redis {
  std::string host;
  std::string password;
  void describe(Fields& field) {
    field("host", host, "Where it listens.").required().length(1, 10);
    field("password", password, "Its password.").secret();
    field.open();
  }
};

struct Config {
  enum class Policy : std::uint8_t { local, redis };
  friend Names enum_names(Policy) {
    static constexpr std::string_view names[]{"local", "redis"};
    return names;
  }
  std::variant<std::int64_t, std::string> count = 1;
  std::uint16_t port = 80;
  Policy policy = Policy::local;
  Seconds timeout = 1.5;
  ByteSize size{16384};
  std::optional<Redis> redis;
  std::vector<std::string> keys;
  std::map<std::string, int> weights;
  Value raw;
  bool on = true;
  std::string upstream_id;

  void describe(Fields& field) {
    field("count", count, "How many.").required().more_than(0);
    field("port", port, "Port.").at_least(1);
    field("policy", policy, "Where counters live.");
    field("timeout", timeout, "How long.").more_than(0);
    field("size", size, "Buffer.");
    field("redis", redis, "The server.");
    field("keys", keys, "Keys.").min_items(1).unique().items().pattern("^[a-z]+$");
    field("weights", weights, "Weights.").max_properties(2).items().at_least(0);
    field("raw", raw, "Anything.").must_be(Kind::object);
    field("on", on, "Switch.");
    field("upstream_id", upstream_id, "Target.").references("upstreams").filter();
    field.at_most_one_of({"redis", "upstream_id"});
    field.needs("on", {"port"});
    field.dropped("old", "does nothing any more");
    field.refused("script", "needs a runtime this build has not");
  }
};

struct Outcome {
  std::string sentence, path, what;
};

Outcome first_problem(std::string_view text) {
  Config config;
  Findings findings;
  bool good = read(*parse(text), config, findings);
  EXPECT_EQ(good, findings.ok()) << text;
  if (good) return {};
  return {findings.sentence(), findings.problems[0].path, findings.problems[0].what};
}

struct Case {
  std::string_view in, sentence, path, what;
};

const Case cases[]{
    {R"({"count":1})", "", "", ""},
    {R"([])", "wrong type: expected object, got table", "", "must be of type object, not array"},
    {R"({})", R"(property "count" is required)", "/count", "is required"},
    {R"({"count":0})", R"(property "count" validation failed: expected 0 to be greater than 0)", "/count",
     "must be more than 0, not 0"},
    {R"({"count":true})",
     R"(property "count" validation failed: value should match only one schema, but matches none)", "/count",
     "must be of type integer or string, not boolean"},
    {R"({"count":"$x"})", "", "", ""},
    {R"({"count":1,"port":0})", R"(property "port" validation failed: expected 0 to be at least 1)", "/port",
     "must be at least 1, not 0"},
    {R"({"count":1,"port":65536})",
     R"(property "port" validation failed: expected 65536 to be at most 65535)", "/port",
     "must be at most 65535, not 65536"},
    {R"({"count":1,"port":1.5})",
     R"(property "port" validation failed: wrong type: expected integer, got number)", "/port",
     "must be of type integer, not number"},
    {R"({"count":1,"policy":"x"})", R"(property "policy" validation failed: matches none of the enum values)",
     "/policy", R"("x" is not one of: local, redis)"},
    {R"({"count":1,"redis":{"host":""}})",
     R"(property "redis" validation failed: property "host" validation failed: string too short, )"
     R"(expected at least 1, got 0)",
     "/redis/host", "must have at least 1 character, not 0"},
    {R"({"count":1,"keys":[]})",
     R"(property "keys" validation failed: expect array to have at least 1 items)", "/keys",
     "needs at least 1 item, has 0"},
    {R"({"count":1,"keys":["a","B"]})",
     R"(property "keys" validation failed: failed to validate item 2: failed to match pattern )"
     R"("^[a-z]+$" with "B")",
     "/keys/1", R"("B" does not match the pattern ^[a-z]+$)"},
    {R"({"count":1,"keys":["a","a"]})",
     R"(property "keys" validation failed: expected unique items but items 1 and 2 are equal)", "/keys",
     R"(items 1 and 2 are equal ("a"))"},
    {R"({"count":1,"weights":{"a/b":-1}})",
     R"(property "weights" validation failed: failed to validate a/b (matching ".*"): expected -1 to )"
     R"(be at least 0)",
     "/weights/a~1b", "must be at least 0, not -1"},
    {R"({"count":1,"raw":3})", R"(property "raw" validation failed: wrong type: expected object, got number)",
     "/raw", "must be of type object, not integer"},
    {R"({"count":1,"prot":3})", "additional properties forbidden, found prot", "/prot",
     R"(is not a field here; did you mean "port"?)"},
    {R"({"count":1,"redis":{"host":"h"},"upstream_id":"1"})", "value wasn't supposed to match schema", "",
     "may have only one of: redis, upstream_id"},
    {R"({"count":1,"on":true})",
     R"(failed to validate dependent schema for "on": property "port" is required)", "/port",
     "is required when on is given"},
    {R"({"count":1,"script":"x"})",
     R"(property "script" validation failed: needs a runtime this build has not)", "/script",
     "needs a runtime this build has not"},
    {R"({"count":1,"timeout":1e99})",
     R"(property "timeout" validation failed: expected 1e+99 to be at most 1000000000)", "/timeout",
     "must be at most 1000000000 seconds, not 1e+99"},
    {R"({"count":1,"size":"16q"})",
     R"(property "size" validation failed: "16q" is no size: write bytes, or a number with k, m or g)",
     "/size", R"("16q" is no size: write bytes, or a number with k, m or g)"},
};

TEST(Fields, ProblemsSpeakForPersonsAndForApisix) {
  for (const auto& c : cases) {
    auto got = first_problem(c.in);
    EXPECT_EQ(got.sentence, c.sentence) << c.in;
    EXPECT_EQ(got.path, c.path) << c.in;
    EXPECT_EQ(got.what, c.what) << c.in;
  }
}

TEST(Fields, AllProblemsAtOnceAndWarnings) {
  Config config;
  Findings findings;
  read(*parse(R"({"port":0,"policy":1,"redis":{"host":"h","pasword":"x"},"old":1,"nonsense":2})"), config,
       findings);
  ASSERT_EQ(findings.problems.size(), 4u);
  ASSERT_EQ(findings.warnings.size(), 2u);
  EXPECT_EQ(findings.warnings[0].path, "/redis/pasword");
  EXPECT_EQ(findings.warnings[0].what, "is not a known field and has no effect; did you mean \"password\"?");
  EXPECT_EQ(findings.warnings[1].path, "/old");
}

TEST(Fields, ProblemsAreBounded) {
  std::string many = R"({"count":1)";
  for (int i = 0; i < 1000; ++i) many += ",\"zzzz" + std::to_string(i) + "\":1";
  Config config;
  Findings findings;
  EXPECT_FALSE(read(*parse(many + "}"), config, findings));
  EXPECT_EQ(findings.problems.size(), Findings::problems_max);
}

TEST(Fields, SecretsAndReferencesAreFound) {
  Config config;
  Findings findings;
  ASSERT_TRUE(read(*parse(R"({"count":5,"redis":{"host":"h","password":"p"}})"), config, findings));
  EXPECT_EQ(findings.secrets, std::vector<std::string>{"/redis/password"});
  EXPECT_EQ(std::get<std::int64_t>(config.count), 5);
  EXPECT_EQ(dump(*write(config, Secrets::masked).find("redis")), R"({"host":"h","password":"******"})");
  Config other;
  ASSERT_TRUE(read(*parse(R"({"count":5,"upstream_id":"7"})"), other, findings));
  EXPECT_EQ(
      findings.references.at(0).resource + findings.references.at(0).id + findings.references.at(0).path,
      "upstreams7/upstream_id");
}

TEST(Fields, WrittenBackItReadsTheSame) {
  Config config;
  Findings findings;
  ASSERT_TRUE(
      read(*parse(R"({"count":"$c","port":9,"policy":"redis","timeout":0.25,"size":"1m","keys":["q"],)"
                  R"("weights":{"a":1},"raw":{"x":[null]},"on":false,"upstream_id":"u"})"),
           config, findings));
  EXPECT_EQ(config.size, 1048576u);
  EXPECT_EQ(dump(write(config)),
            R"({"count":"$c","port":9,"policy":"redis","timeout":0.25,"size":1048576,"keys":["q"],)"
            R"("weights":{"a":1},"raw":{"x":[null]},"on":false,"upstream_id":"u"})");
}

TEST(Fields, Schema) {
  auto made = schema<Config>();
  const auto& properties = *made.find("properties");
  EXPECT_EQ(dump(*made.find("required")), R"(["count"])");
  EXPECT_EQ(dump(*properties.find("port")),
            R"({"type":"integer","description":"Port.","default":80,"minimum":1})");
  EXPECT_EQ(
      dump(*properties.find("policy")),
      R"({"type":"string","enum":["local","redis"],"description":"Where counters live.","default":"local"})");
  EXPECT_EQ(dump(*properties.find("keys")),
            R"({"type":"array","items":{"type":"string","pattern":"^[a-z]+$"},"description":"Keys.",)"
            R"("minItems":1,"uniqueItems":true})");
  EXPECT_EQ(
      dump(*properties.find("count")),
      R"({"oneOf":[{"type":"integer"},{"type":"string"}],"description":"How many.","exclusiveMinimum":0})");
  EXPECT_EQ(dump(*made.find("additionalProperties")), "false");
  EXPECT_FALSE(properties.find("redis")->find("additionalProperties"));
  EXPECT_FALSE(properties.find("script"));
}

struct Alternatives {
  int a = 0, b = 0, c = 0;
  void describe(Fields& field) {
    field("a", a, "");
    field("b", b, "");
    field("c", c, "");
    field.exactly_one_of({"a", "b"});
    field.at_least_one_group_of({{"a", "c"}, {"b"}});
  }
};

TEST(Fields, Alternatives) {
  struct {
    std::string_view in, sentence;
  } cases[]{
      {R"({"b":1})", ""},
      {R"({"a":1,"c":1})", ""},
      {R"({})", "value should match only one schema, but matches none"},
      {R"({"a":1,"b":1})", "value should match only one schema, but matches both schemas 1 and 2"},
      {R"({"a":1})", R"(object matches none of the required: ["a","c"] or ["b"])"},
  };
  for (const auto& c : cases) {
    Alternatives config;
    Findings findings;
    read(*parse(c.in), config, findings);
    EXPECT_EQ(findings.sentence(), c.sentence) << c.in;
  }
}

}  // namespace
}  // namespace sluice::json
