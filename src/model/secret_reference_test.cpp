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
  const auto find = [](std::string_view reference) -> Result<std::string> {
    if (reference == "$secret://known") return "from a manager";
    return fail(ErrorKind::not_found, "is not known");
  };
  resolve_secret_references(*find_resource(resource), value, findings, find);
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
       R"({"plugins":{"x":"$secret://vault/1/a/b"}} W/plugins/x)"},
      {"routes", R"({"plugins":{"x":["$secret://known"]}})", R"({"plugins":{"x":["from a manager"]}})"},
      {"upstreams", R"({"tls":{"client_key":"$secret://known"}})",
       R"({"tls":{"client_key":"from a manager"}})"},
      {"routes", R"({"upstream":{"tls":{"client_key":"$secret://known"}}})",
       R"({"upstream":{"tls":{"client_key":"from a manager"}}})"},
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

TEST(SecretReference, NamesManagerAndKey) {
  const auto parts = parse_secret_reference("$secret://vault/1/a/b");
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->manager, "vault/1");
  EXPECT_EQ(parts->key, "a/b");
  for (const char* bad : {"$secret://", "$secret://vault", "$secret://vault/1", "$secret://vault/1/"})
    EXPECT_FALSE(parse_secret_reference(bad)) << bad;
  const auto body = *json::parse(R"({"plugins":{"x":["$secret://a/1/b","$secret://a/1/b","$env://A"]},)"
                                 R"("uri":"$secret://a/1/c"})");
  EXPECT_EQ(secret_references_in(*find_resource("routes"), body),
            std::vector<std::string>{"$secret://a/1/b"});
}

}  // namespace
}  // namespace sluice::model
