// SPDX-License-Identifier: Apache-2.0
#include "cli/lint.h"

#include <gtest/gtest.h>

#include "json/text.h"

namespace sluice::cli {
namespace {

// "SEVERITY RULE RESOURCE PATH" of every finding. Plugins are not looked at: there are none in this folder.
std::vector<std::string> lint_text(std::string_view yaml) {
  Loaded loaded;
  load_document(*json::parse_yaml(yaml), "a.yaml", loaded);
  EXPECT_TRUE(loaded.problems.empty());
  const store::CheckResource check = [](const model::Resource& resource, std::string_view id,
                                        const json::Value& body, json::Findings& findings) {
    json::Reader reader(findings);
    resource.check(id, body, reader);
  };
  std::vector<std::string> told;
  for (const auto& finding : lint({loaded.configuration, check, 1'800'000'000}))
    told.push_back(std::string(name_of(finding.severity)) + " " + std::string(finding.rule) + " " +
                   finding.resource + finding.path);
  return told;
}

using Told = std::vector<std::string>;
constexpr std::string_view upstream = "upstream: {nodes: {'a:1': 1}}";

std::string routes(std::initializer_list<std::string_view> list) {
  std::string text = "routes:\n";
  for (const auto route : list) text.append("- {").append(route).append(", ").append(upstream).append("}\n");
  return text;
}

TEST(Lint, EqualRoutesShadowEachOther) {
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a", "id: 2, uri: /a"})),
            Told{"warning unreachable-route routes/2"});
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a", "id: 2, uri: /a, priority: 1"})),
            Told{"warning unreachable-route routes/1"});
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a, methods: [GET, POST]", "id: 2, uri: /a, methods: [GET]"})),
            Told{"warning unreachable-route routes/2"});
  EXPECT_EQ(
      lint_text(routes({"id: 1, uris: [/a, /b], hosts: [A.com]", "id: 2, uris: [/b, /c], host: a.com"})),
      Told{"warning shadowed-route routes/2"});
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /*, priority: -5", "id: 2, uri: '*'"})),
            Told{"warning unreachable-route routes/2"});
  EXPECT_EQ(
      lint_text(routes({"id: 1, uri: /a, vars: [[arg_x, ==, y]]", "id: 2, uri: /a, vars: [[arg_x, ==, y]]"})),
      Told{"warning unreachable-route routes/2"});
}

TEST(Lint, RoutesThatCanBeReachedAreLeftAlone) {
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a/*, priority: 9", "id: 2, uri: /a/b", "id: 3, uri: /a/c/*"})),
            Told{});
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a, methods: [GET]", "id: 2, uri: /a"})), Told{});
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a, vars: [[arg_x, ==, y]]", "id: 2, uri: /a"})), Told{});
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a, status: 0", "id: 2, uri: /a"})), Told{});
  EXPECT_EQ(lint_text(routes({"id: 1, uri: /a, host: a.com", "id: 2, uri: /a"})), Told{});
  EXPECT_EQ(
      lint_text(routes({"id: 1, uri: /a, remote_addr: 10.0.0.1", "id: 2, uri: /a, remote_addr: 10.0.0.2"})),
      Told{});
}

TEST(Lint, ReferencesLeadSomewhereAndAreUsed) {
  EXPECT_EQ(
      lint_text("routes: [{id: 1, uri: /a, upstream_id: 7}]\nupstreams: [{id: 8, nodes: {'a:1': 1}}]\n"),
      (Told{"error missing-reference routes/1/upstream_id", "warning unused upstreams/8"}));
  EXPECT_EQ(lint_text("routes: [{id: 1, uri: /a, plugins: {traffic-split: {rules: [{upstream_id: 8}]}}}]\n"
                      "upstreams: [{id: 8, nodes: {'a:1': 1}}]\n"),
            Told{});
  EXPECT_EQ(lint_text("routes: [{id: 1, uri: 7, upstream: {nodes: {}}}]\n"),
            (Told{"error invalid routes/1/uri", "warning no-nodes routes/1/upstream/nodes"}));
}

TEST(Lint, RoutesWithoutAuthenticationStandOut) {
  const std::string_view open =
      "routes:\n- {id: 1, uri: /a, plugins: {key-auth: {}}}\n- {id: 2, uri: /b, plugins: {cors: {}}}\n"
      "- {id: 3, uri: /c, service_id: s}\n- {id: 4, uri: /d, plugins: {key-auth: {_meta: {disable: true}}}}\n"
      "services: [{id: s, plugins: {basic-auth: {}}}]\n";
  EXPECT_EQ(lint_text(open), (Told{"info open-route routes/2", "info open-route routes/4"}));
  EXPECT_EQ(lint_text(std::string(open) + "global_rules: [{id: 1, plugins: {jwt-auth: {}}}]\n"), Told{});
}

TEST(Lint, UpstreamsCanServe) {
  EXPECT_EQ(lint_text("routes: [{id: 1, uri: /a, upstream: {scheme: https, tls: {verify: false}, nodes: "
                      "[{host: a, port: 1, weight: 0}, {host: a, port: 1, weight: 0}]}}]\n"),
            (Told{"error zero-weights routes/1/upstream/nodes", "warning node-twice routes/1/upstream/nodes",
                  "warning unverified-tls routes/1/upstream/tls/verify"}));
}

// Made for a.test; it ends at 1'827'135'831.
constexpr std::string_view certificate =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBgDCCASagAwIBAgIULA7+fatICfbglYPJh0hY1FifI8owCgYIKoZIzj0EAwIw\n"
    "DDEKMAgGA1UEAwwBYzAeFw0yNjExMjUwOTQzNTFaFw0yNzExMjUwOTQzNTFaMAwx\n"
    "CjAIBgNVBAMMAWMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQZTlRcUXmLkjdI\n"
    "pCd814Rj1NvEEPBehZskA4GAF2sotQx6XUWO91jdLpd8bpGk35kst46aYsoAXtm8\n"
    "q1X4q8QWo2YwZDAdBgNVHQ4EFgQUrV0UpjTZa35CvfHkadh6bkb6X9owHwYDVR0j\n"
    "BBgwFoAUrV0UpjTZa35CvfHkadh6bkb6X9owDwYDVR0TAQH/BAUwAwEB/zARBgNV\n"
    "HREECjAIggZhLnRlc3QwCgYIKoZIzj0EAwIDSAAwRQIhAOnhl/Qz9VnxIis9jE4F\n"
    "Z1lbnOnuxzB2z5xPlE0ivEovAiAC34GqzGFNlX9Lg/jnIEy52yqBnGdbvT31z2JV\n"
    "8ByGww==\n"
    "-----END CERTIFICATE-----\n";

TEST(Lint, CertificatesThatEndAreFound) {
  Loaded loaded;
  const auto upstream_with =
      json::Value::object({{"tls", json::Value::object({{"client_cert", certificate}})}});
  loaded.configuration.add({model::find_resource("upstreams"), "1", upstream_with, {}});
  const store::CheckResource nothing = [](const auto&, auto, const auto&, auto&) {};
  const auto at = [&](std::int64_t now_s) {
    std::vector<Finding> found;
    lint_certificates({loaded.configuration, nothing, now_s}, found);
    return found.empty()
               ? ""
               : std::string(found.front().rule) + " " + found.front().path + " " + found.front().what;
  };
  constexpr std::int64_t end_s = 1'827'135'831, day_s = 86'400;
  EXPECT_EQ(at(end_s - 40 * day_s), "");
  EXPECT_EQ(at(end_s - 10 * day_s),
            "expiring-certificate /tls/client_cert the certificate of a.test ends in 10 days");
  EXPECT_EQ(at(end_s + 2 * day_s),
            "expired-certificate /tls/client_cert the certificate of a.test ended 2 days ago");
}

}  // namespace
}  // namespace sluice::cli
