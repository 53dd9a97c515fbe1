// SPDX-License-Identifier: Apache-2.0
#include "plugin/validator.h"

#include <gtest/gtest.h>

#include "json/text.h"

namespace sluice::plugin {
namespace {

class Sample final : public Plugin {
 public:
  struct Config {
    std::int64_t count = 1;
    void describe(json::Fields& field) { field("count", count, "How many.").required().at_least(1); }
  };
  struct Consumer {
    std::string key;
    std::string credential() const { return key; }
    void describe(json::Fields& field) { field("key", key, "The key.").required().secret(); }
  };
  struct Metadata {
    std::string name = "x";
    void describe(json::Fields& field) { field("name", name, "A name."); }
  };
  explicit Sample(Config) {}
  VerdictTask access(Exchange&) const override { return pass(); }
};

const PluginType sample = plugin<Sample>({.name = "sample",
                                          .summary = "Tries things.",
                                          .priority = 1,
                                          .example = R"({"count": 1})",
                                          .authenticates = true});

class Plain final : public Plugin {
 public:
  struct Config {
    void describe(json::Fields&) {}
  };
  explicit Plain(Config) {}
  VerdictTask access(Exchange&) const override { return pass(); }
};

const PluginType plain =
    plugin<Plain>({.name = "plain", .summary = "Passes.", .priority = 2, .example = "{}"});

json::Findings check(std::string_view resource, std::string_view body, std::string_view id = "1") {
  Validator validator({&sample, &plain});
  json::Findings findings;
  validator.check(*model::find_resource(resource), id, *json::parse(body), findings);
  return findings;
}

// "own" is the key of bob himself, "beside" that of his credential 7.
std::string duplicate(std::string_view resource, std::string_view id, std::string_view key) {
  Validator validator({&sample});
  Consumer bob{.name = "bob"}, beside{.name = "bob", .credential_id = "7"};
  validator.find_owner = [&](const PluginType&, std::string_view credential) {
    return credential == "own" ? &bob : credential == "beside" ? &beside : nullptr;
  };
  json::Findings findings;
  auto config = json::Value::object({{"key", key}});
  auto plugins = json::Value::object({{"sample", std::move(config)}});
  validator.check_credentials(*model::find_resource(resource), id,
                              json::Value::object({{"plugins", std::move(plugins)}}), findings,
                              validator.find_owner);
  return findings.sentence();
}

TEST(Validator, ACredentialHasOneOwner) {
  constexpr auto of_bob = "duplicate key of plugin sample found with consumer: bob";
  constexpr auto of_seven = "duplicate key of plugin sample found with credential: 7 of consumer: bob";
  EXPECT_EQ(duplicate("consumers", "ann", "free"), "");
  EXPECT_EQ(duplicate("consumers", "ann", "own"), of_bob);
  EXPECT_EQ(duplicate("consumers", "ann", "beside"), of_seven);
  EXPECT_EQ(duplicate("consumers", "bob", "own"), "");
  EXPECT_EQ(duplicate("consumers", "bob", "beside"), "");
  EXPECT_EQ(duplicate("credentials", "bob/credentials/7", "beside"), "");
  EXPECT_EQ(duplicate("credentials", "bob/credentials/8", "beside"), of_seven);
  EXPECT_EQ(duplicate("credentials", "bob/credentials/7", "own"), of_bob);
  EXPECT_EQ(duplicate("credentials", "ann/credentials/7", "beside"), of_seven);
  EXPECT_EQ(duplicate("routes", "1", "own"), "");
}

TEST(Validator, Sentences) {
  struct {
    std::string_view resource, body, sentence, path;
  } cases[]{
      {"routes", R"({"uri":"/","plugins":{"sample":{"count":2}}})", "", ""},
      {"routes", R"({"uri":"/","plugins":{"sample":{}}})",
       "failed to check the configuration of plugin sample err: property \"count\" is required",
       "/plugins/sample/count"},
      {"routes", R"({"uri":"/","plugins":{"other":{}}})", "unknown plugin [other]", "/plugins/other"},
      {"routes", R"({"uri":"/","plugins":{"sample":{"count":0,"_meta":{"disable":true}}}})", "", ""},
      {"routes", R"({"uri":"/","plugins":{"sample":{"count":1,"_meta":{"priority":"x"}}}})",
       "failed to check the configuration of plugin sample err: property \"_meta\" validation failed: "
       "property "
       "\"priority\" validation failed: wrong type: expected integer, got string",
       "/plugins/sample/_meta/priority"},
      {"routes", R"({"uri":"/","plugins":{},"vars":[["arg_a","=","b"]]})",
       "failed to validate the 'vars' expression: invalid operator '='", "/vars/0"},
      {"consumers", R"({"username":"a","plugins":{"sample":{"key":"k"}}})", "", ""},
      {"credentials", R"({"plugins":{"sample":{"key":"k"}}})", "", ""},
      {"credentials", R"({"plugins":{"plain":{}}})",
       "only supports auth type plugins in consumer credential", "/plugins/plain"},
      {"credentials", R"({"plugins":{"sample":{"key":"k"},"plain":{}}})",
       "invalid configuration: property \"plugins\" validation failed: expect object to have at most 1 "
       "properties",
       "/plugins"},
      {"consumers", R"({"username":"a","plugins":{"sample":{}}})",
       "invalid plugins configuration: failed to check the configuration of plugin sample err: property "
       "\"key\" is "
       "required",
       "/plugins/sample/key"},
  };
  for (const auto& c : cases) {
    auto found = check(c.resource, c.body);
    EXPECT_EQ(found.sentence(), c.sentence) << c.body;
    EXPECT_EQ(found.ok() ? "" : found.problems[0].path, c.path) << c.body;
  }
  EXPECT_EQ(
      check("plugin_metadata", R"({"name":1})", "sample").sentence(),
      "invalid configuration: property \"name\" validation failed: wrong type: expected string, got number");
  EXPECT_EQ(check("plugin_metadata", R"({"id":"sample","name":"y"})", "sample").sentence(), "");
  EXPECT_EQ(check("plugin_metadata", "{}", "nothing").sentence(), "invalid plugin name");
}

TEST(Validator, AllAtOnceWithSecretsAndWarnings) {
  auto found = check("routes", R"({"uri":1,"plugins":{"sample":{"count":0},"other":{}},"vars":[["a"]]})");
  EXPECT_EQ(found.problems.size(), 4u);
  auto consumer = check("consumers", R"({"username":"a","plugins":{"sample":{"key":"k"}}})");
  EXPECT_EQ(consumer.secrets, std::vector<std::string>{"/plugins/sample/key"});
  auto asleep = check("routes", R"({"uri":"/","plugins":{"sample":{"count":0,"disable":true}}})");
  EXPECT_TRUE(asleep.ok());
  ASSERT_EQ(asleep.warnings.size(), 2u);
  EXPECT_EQ(asleep.warnings[1].what, "will be refused when the plugin is enabled: must be at least 1, not 0");
}

}  // namespace
}  // namespace sluice::plugin
