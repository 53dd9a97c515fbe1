// SPDX-License-Identifier: Apache-2.0
#include "model/secret_reference.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "json/text.h"

namespace sluice::model {
namespace {

// What `body` becomes, then the paths of warnings and of problems.
std::string resolved(std::string_view resource, std::string_view body) {
  ::setenv("SLUICE_TEST_SECRET", "s3cret", 1);
  ::setenv("SLUICE_TEST_SECRETS", R"({"a":"in a","n":1})", 1);
  ::unsetenv("SLUICE_TEST_NOTHING");
  auto value = *json::parse(body);
  json::Findings findings;
  resolve_secret_references(*find_resource(resource), value, findings);
  auto told = json::dump(value);
  for (const auto& warning : findings.warnings) told += " W" + warning.path;
  for (const auto& problem : findings.problems) told += " P" + problem.path;
  return told;
}

TEST(SecretReference, Table) {
  struct {
    std::string_view resource, body, told;
  } cases[]{
      {"routes", R"({"plugins":{"x":{"key":"$env://SLUICE_TEST_SECRET"}}})",
       R"({"plugins":{"x":{"key":"s3cret"}}})"},
      {"consumers", R"({"plugins":{"x":["$ENV://SLUICE_TEST_SECRETS/a"]}})", R"({"plugins":{"x":["in a"]}})"},
      {"routes", R"({"plugins":{"x":{"key":"$env://SLUICE_TEST_NOTHING"}}})",
       R"({"plugins":{"x":{"key":"$env://SLUICE_TEST_NOTHING"}}} W/plugins/x/key)"},
      {"routes", R"({"plugins":{"x":"$env://SLUICE_TEST_SECRETS/n"}})",
       R"({"plugins":{"x":"$env://SLUICE_TEST_SECRETS/n"}} W/plugins/x)"},
      {"routes", R"({"plugins":{"x":"$env://SLUICE_TEST_SECRET/a"}})",
       R"({"plugins":{"x":"$env://SLUICE_TEST_SECRET/a"}} W/plugins/x)"},
      {"routes", R"({"plugins":{"x":"$secret://vault/1/a/b"}})",
       R"({"plugins":{"x":"$secret://vault/1/a/b"}} P/plugins/x)"},
      {"routes", R"({"uri":"$env://SLUICE_TEST_SECRET"})", R"({"uri":"$env://SLUICE_TEST_SECRET"})"},
      {"routes", R"({"plugins":{"x":"a $env://SLUICE_TEST_SECRET"}})",
       R"({"plugins":{"x":"a $env://SLUICE_TEST_SECRET"}})"},
      {"ssls", R"({"key":"$env://SLUICE_TEST_SECRET"})", R"({"key":"s3cret"})"},
      {"plugin_metadata", R"({"plugins":{"x":"$env://SLUICE_TEST_SECRET"}})",
       R"({"plugins":{"x":"$env://SLUICE_TEST_SECRET"}})"},
  };
  for (const auto& c : cases) EXPECT_EQ(resolved(c.resource, c.body), c.told) << c.body;
  EXPECT_TRUE(is_secret_reference("$Env://A"));
  EXPECT_TRUE(is_secret_reference("$secret://vault/1/a"));
  EXPECT_FALSE(is_secret_reference("$env:/A"));
}

}  // namespace
}  // namespace sluice::model
