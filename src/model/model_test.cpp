// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "json/text.h"
#include "model/resources.h"

namespace sluice::model {
namespace {

std::string sentence(std::string_view resource, std::string_view body) {
  json::Findings findings;
  json::Reader reader(findings, "", "invalid configuration: ");
  auto value = json::parse(body);
  EXPECT_TRUE(value) << body;
  find_resource(resource)->check("vault/1", *value, reader);
  return findings.sentence();
}

struct Case {
  std::string_view resource, body, sentence;
};

const Case cases[]{
    {"routes", R"({"uri":"/a","upstream":{"nodes":{"127.0.0.1:80":1}}})", ""},
    {"routes",
     R"({"id":1,"uri":"/a","upstream_id":1,"vars":[["arg_a","==","b"]],"remote_addrs":["::1",)"
     R"("10.0.0.0/8"]})",
     ""},
    {"routes", R"({"plugins":{}})",
     "invalid configuration: allOf 1 failed: value should match only one schema, but matches none"},
    {"routes", R"({"uri":"","plugins":{}})",
     R"(invalid configuration: property "uri" validation failed: string too short, expected at least )"
     R"(1, got 0)"},
    {"routes", R"({"uri":"/","plugins":{"x":1}})", "invalid plugin conf 1 for plugin [x]"},
    {"routes", R"({"uri":"/","plugins":{"x":[]}})", ""},
    {"routes", R"({"uri":"/","host":"a","hosts":["b"],"plugins":{}})",
     "only one of host or hosts is allowed"},
    {"routes", R"({"uri":"/","remote_addr":"127.0.0.300","plugins":{}})",
     R"(invalid configuration: property "remote_addr" validation failed: object matches none of the )"
     R"(required)"},
    {"routes", R"({"uri":"/","id":"a b","plugins":{}})",
     R"(invalid configuration: property "id" validation failed: object matches none of the required)"},
    {"routes", R"({"uri":"/","methods":["GETT"],"plugins":{}})",
     R"(invalid configuration: property "methods" validation failed: failed to validate item 1: )"
     R"(matches none of the enum values)"},
    {"routes", R"({"uri":"/","status":2,"plugins":{}})",
     R"(invalid configuration: property "status" validation failed: matches none of the enum values)"},
    {"routes", R"({"uri":"/","plugins":{},"labels":{"env":["a"]}})",
     R"(invalid configuration: property "labels" validation failed: failed to validate env (matching )"
     R"(".*"): wrong type: expected string, got table)"},
    {"routes", R"({"uri":"/","plugins":{},"nope":1})",
     "invalid configuration: additional properties forbidden, found nope"},
    {"routes", R"({"uri":"/","upstream_id":"1","filter_func":"function(vars) return true end"})",
     R"(invalid configuration: property "filter_func" validation failed: needs the Lua runtime, which )"
     R"(this build has not: express it with vars or plugins)"},
    {"routes", R"({"uri":"/","upstream_id":"1","timeout":{"connect":0,"send":1,"read":1}})",
     R"(invalid configuration: property "timeout" validation failed: property "connect" validation )"
     R"(failed: expected 0 to be greater than 0)"},
    {"upstreams", R"({"nodes":[{"host":"a.com","port":80,"weight":1}],"type":"chash"})", "missing key"},
    {"ssls", R"({"sni":"a.test"})", "invalid configuration: then clause did not match"},
    {"ssls", R"({"type":"client","sni":"a.test"})", "invalid configuration: else clause did not match"},
    {"ssls", R"({"snis":[]})",
     R"(invalid configuration: property "snis" validation failed: expect array to have at least 1 items)"},
    {"ssls", R"({"ssl_protocols":["SSLv3"],"type":"x"})",
     R"(invalid configuration: property "type" validation failed: matches none of the enum values)"},
    {"upstreams", R"({"nodes":{"a:1":1},"tls":{"client_cert_id":1}})", ""},
    {"protos", R"({"content":"syntax"})", ""},
    {"protos", R"({})", R"(invalid configuration: property "content" is required)"},
    {"stream_routes", R"({"remote_addr":"::1/64","server_addr":"127.0.0.1","server_port":9100})", ""},
    {"stream_routes", R"({"server_addr":"127.0.0"})",
     R"(invalid configuration: property "server_addr" validation failed: object matches none of the )"
     R"(required)"},
    {"secrets", R"({"id":"vault/1","uri":"http://127.0.0.1:1/get","prefix":"a","token":"b"})", ""},
    {"secrets", R"({"uri":"http://a","prefix":"a"})",
     R"(invalid configuration: property "token" is required)"},
    {"credentials", R"({"id":1,"plugins":{"x":{}}})", ""},
    {"credentials", R"({"id":"jack/credentials/1"})", ""},
    {"credentials", R"({"id":"jack//1"})",
     R"(invalid configuration: property "id" validation failed: object matches none of the required)"},
    {"upstreams", R"({"nodes":{"a":1},"type":"chash","key":"not_support"})",
     R"(invalid configuration: failed to match pattern )"
     R"("^((uri|server_name|server_addr|request_uri|remote_port|remote_addr|query_string|host|hostname)"
     R"(|mqtt_client_id)|arg_[0-9a-zA-z_-]+)$" with "not_support")"},
    {"upstreams", R"({"nodes":[{"host":"a.com","port":0,"weight":1}]})",
     R"(invalid configuration: property "nodes" validation failed: object matches none of the required)"},
    {"upstreams", R"({"nodes":{"a.com:80":-1}})",
     R"(invalid configuration: property "nodes" validation failed: object matches none of the required)"},
    {"upstreams", R"({"nodes":{"a.com:65536":1}})", "invalid port 65536"},
    {"upstreams", R"({"nodes":[{"host":"::1","port":80,"weight":1}]})",
     "invalid configuration: IPv6 address must be enclosed with '[' and ']'"},
    {"upstreams", R"({"type":"roundrobin"})",
     "invalid configuration: value should match only one schema, but matches none"},
    {"upstreams", R"({"nodes":{"a":1},"retries":-1})",
     R"(invalid configuration: property "retries" validation failed: expected -1 to be at least 0)"},
    {"upstreams", R"({"nodes":{"a":1},"pass_host":"rewrite"})",
     "`upstream_host` can't be empty when `pass_host` is `rewrite`"},
    {"upstreams", R"({"nodes":{"a":1},"checks":{"passive":{}}})",
     R"(invalid configuration: property "checks" validation failed: object matches none of the )"
     R"(required: ["active"] or ["active","passive"])"},
    {"upstreams", R"({"nodes":{"a":1},"checks":{"active":{"healthy":{"successes":255}}}})",
     R"(invalid configuration: property "checks" validation failed: property "active" validation )"
     R"(failed: property "healthy" validation failed: property "successes" validation failed: )"
     R"(expected 255 to be at most 254)"},
    {"upstreams", R"({"nodes":{"a":1},"scheme":"kafka"})",
     R"(invalid configuration: property "scheme" validation failed: kafka is not spoken by this )"
     R"(version: use http, https, grpc, grpcs, tcp, tls or udp)"},
    {"upstreams", R"({"nodes":{"a:1":1},"scheme":"tls"})", ""},
    {"upstreams", R"({"nodes":{"a":1},"scheme":"tcp"})",
     R"(invalid configuration: property "nodes" validation failed: need a port each, for this scheme has )"
     R"(none of its own)"},
    {"upstreams", R"({"nodes":{"a":1},"scheme":"grpcs"})", ""},
    {"upstreams", R"({"nodes":{"a":1},"http_version":"2"})", ""},
    {"upstreams", R"({"nodes":{"a":1},"scheme":"grpc","http_version":"2"})",
     R"(invalid configuration: property "http_version" validation failed: is for the )"
     R"(schemes http and https)"},
    {"consumers", R"({"plugins":{}})", R"(invalid configuration: property "username" is required)"},
    {"consumers", R"({"username":"a b"})",
     R"(invalid configuration: property "username" validation failed: failed to match pattern )"
     R"("^[a-zA-Z0-9_\-]+$" with "a b")"},
    {"global_rules", R"({"id":1})", R"(invalid configuration: property "plugins" is required)"},
    {"services", R"({"hosts":[]})",
     R"(invalid configuration: property "hosts" validation failed: expect array to have at least 1 items)"},
    {"services", "{}", ""},
    {"plugin_metadata", R"({"anything":1})", ""},
};

TEST(Model, SentencesAreThoseOfApisix) {
  for (const auto& c : cases) EXPECT_EQ(sentence(c.resource, c.body), c.sentence) << c.body;
}

TEST(Model, NodesInBothForms) {
  auto read_nodes = [](std::string_view body) {
    Upstream upstream;
    json::Findings findings;
    EXPECT_TRUE(json::read(*json::parse(body), upstream, findings)) << findings.sentence();
    std::string text;
    for (const auto& node : upstream.nodes.list) {
      text += node.host + "|" + (node.port ? std::to_string(*node.port) : "-") + "|" +
              std::to_string(node.weight) + ";";
    }
    return text;
  };
  EXPECT_EQ(read_nodes(R"({"nodes":{"a.com":1,"b.com:81":0,"[::1]:82":3,"::1":4}})"),
            "a.com|-|1;b.com|81|0;::1|82|3;::1|-|4;");
  EXPECT_EQ(read_nodes(R"({"nodes":[{"host":"[::1]","weight":2},{"host":"c","port":9,"weight":1}]})"),
            "::1|-|2;c|9|1;");
  EXPECT_EQ(read_nodes(R"({"nodes":[{"host":"1.2.3.4:80","weight":1},{"host":"a.b:81","weight":1},)"
                       R"({"host":"[::1]:82","weight":1}]})"),
            "1.2.3.4|80|1;a.b|81|1;::1|82|1;");
  EXPECT_EQ(read_nodes(R"({"nodes":{}})"), "");
}

TEST(Model, ReferencesAndWarnings) {
  json::Findings findings;
  Route route;
  ASSERT_TRUE(
      json::read(*json::parse(R"({"uri":"/","upstream_id":7,"service_id":"s","plugin_config_id":"p",)"
                              R"("service_protocol":"http","upstream":{"nodes":{"a":1},"tls":{"x":1}}})"),
                 route, findings))
      << findings.sentence();
  ASSERT_EQ(findings.references.size(), 3u);
  EXPECT_EQ(findings.references[1].resource + "/" + findings.references[1].id, "upstreams/7");
  ASSERT_EQ(findings.warnings.size(), 2u);
  EXPECT_EQ(findings.warnings[0].path, "/upstream/tls/x");
  EXPECT_EQ(findings.warnings[1].path, "/service_protocol");
}

TEST(Model, EveryRowHasASchemaAndItsDefaultsAreValid) {
  for (const auto& row : resources()) {
    auto schema = row.schema();
    EXPECT_EQ(schema.text("type"), "object") << row.path;
    EXPECT_EQ(find_schema(row.schema_name), &row);
    const auto id = row.under.empty() ? std::string("a/b") : fmt::format("a/{}/b", row.path);
    EXPECT_EQ(split_key(key_of(row, id)).resource, &row);
    EXPECT_EQ(split_key(key_of(row, id)).id, id);
  }
  EXPECT_EQ(split_key("/apisix/consumers/a/credentials/b").resource, find_resource("credentials"));
  EXPECT_EQ(split_key("/apisix/consumers/a/other/b").resource, find_resource("consumers"));
  EXPECT_EQ(owner_key_of("/apisix/consumers/a/credentials/b"), "/apisix/consumers/a");
  EXPECT_EQ(owner_key_of("/apisix/consumers/a"), "");
  EXPECT_EQ(split_key("/other/routes/1").resource, nullptr);
  EXPECT_EQ(split_key("/apisix/nothing/1").resource, nullptr);
}

}  // namespace
}  // namespace sluice::model
