// SPDX-License-Identifier: Apache-2.0
#include "main/config.h"

#include <gtest/gtest.h>

namespace sluice::main {
namespace {

struct Read {
  std::optional<Config> config;
  json::Findings findings;
};

Read read(std::string_view text) {
  Read result;
  result.config = read_config(text, "/prefix", result.findings);
  return result;
}

bool names(const json::Problems& problems, std::string_view path) {
  for (const auto& problem : problems) {
    if (problem.path == path) return true;
  }
  return false;
}

TEST(Config, HasADefaultForEverything) {
  for (const std::string_view text :
       {"", "{}", "apisix:\n", "apisix: {}\ndeployment: {}\nnginx_config: {}"}) {
    const Read got = read(text);
    ASSERT_TRUE(got.config) << text;
    EXPECT_TRUE(got.findings.warnings.empty()) << got.findings.warnings.front().what;
    const Config& config = *got.config;
    ASSERT_EQ(config.gateway.listen.size(), 2u);
    EXPECT_EQ(config.gateway.listen[0].endpoint.text(), "0.0.0.0:9080");
    EXPECT_EQ(config.gateway.listen[1].endpoint.text(), "[::]:9080");
    EXPECT_EQ(config.admin_listen.text(), "127.0.0.1:9180");
    EXPECT_EQ(config.control_listen.text(), "127.0.0.1:9090");
    EXPECT_EQ(config.status_listen.text(), "127.0.0.1:7085");
    EXPECT_EQ(config.prometheus_listen.text(), "127.0.0.1:9091");
    EXPECT_TRUE(config.admin_key_required);
    EXPECT_TRUE(config.admin_keys.empty());
    EXPECT_GE(config.workers, 1u);
    EXPECT_EQ(config.error_log, "/prefix/logs/error.log");
    EXPECT_EQ(config.error_log_level, log::Level::warn);
    EXPECT_EQ(config.descriptors_max, 20480u);
    EXPECT_EQ(config.shutdown_timeout, 240s);
    EXPECT_EQ(config.gateway.connections_max, 10620u);
    EXPECT_EQ(config.gateway.router, gateway::RouterMode::host_uri);
    EXPECT_EQ(config.gateway.server.keepalive_timeout, 60s);
    EXPECT_EQ(config.gateway.server.requests_max, 1000u);
    EXPECT_EQ(config.gateway.server.body_bytes_max, 0);
    EXPECT_EQ(config.gateway.access_log_path, "/prefix/logs/access.log");
    EXPECT_EQ(config.gateway.access_log_buffer, 16384u);
    EXPECT_EQ(config.prometheus_uri, "/apisix/prometheus/metrics");
  }
}

TEST(Config, ReadsWhatIsWritten) {
  const Read got = read(R"(
apisix:
  node_listen: [9081, {ip: 127.0.0.1, port: 9082}]
  enable_ipv6: false
  router: {http: radixtree_uri}
  trusted_addresses: [10.0.0.0/8]
deployment:
  admin:
    admin_listen: {ip: "::1", port: 9181}
    admin_key: [{name: a, key: secret, role: viewer}]
    allow_admin: [127.0.0.0/8]
nginx_config:
  worker_processes: 3
  user: www staff
  error_log: stderr
  error_log_level: info
  worker_shutdown_timeout: 5m
  event: {worker_connections: 7}
  http:
    {keepalive_timeout: 500ms, send_timeout: 3, client_max_body_size: 10m, access_log: /x,
     enable_access_log: off}
)");
  ASSERT_TRUE(got.config) << got.findings.problems.front().what;
  const Config& config = *got.config;
  ASSERT_EQ(config.gateway.listen.size(), 2u);
  EXPECT_EQ(config.gateway.listen[0].endpoint.text(), "0.0.0.0:9081");
  EXPECT_EQ(config.gateway.listen[1].endpoint.text(), "127.0.0.1:9082");
  EXPECT_EQ(config.gateway.router, gateway::RouterMode::uri);
  EXPECT_TRUE(config.gateway.trusted.contains(*IpAddress::parse("10.1.1.1")));
  EXPECT_EQ(config.admin_listen.text(), "[::1]:9181");
  ASSERT_EQ(config.admin_keys.size(), 1u);
  EXPECT_EQ(config.admin_keys[0].role, admin::Role::viewer);
  EXPECT_TRUE(config.admin_allow.contains(*IpAddress::parse("127.9.9.9")));
  EXPECT_EQ(config.workers, 3u);
  EXPECT_EQ(config.user, "www staff");
  EXPECT_EQ(config.error_log, "stderr");
  EXPECT_EQ(config.shutdown_timeout, 300s);
  EXPECT_EQ(config.gateway.connections_max, 7u);
  EXPECT_EQ(config.gateway.server.keepalive_timeout, 500ms);
  EXPECT_EQ(config.gateway.server.send_timeout, 3s);
  EXPECT_EQ(config.gateway.server.body_bytes_max, 10 << 20);
  EXPECT_EQ(config.gateway.access_log_path, "/x");
  EXPECT_FALSE(config.gateway.access_log);
}

TEST(Config, NamesEveryProblemAtOnce) {
  const Read got = read(R"(
apisix: {node_listen: 70000, router: {http: trie}, control: {ip: nowhere}, trusted_addresses: [10.0.0.0/99]}
deployment:
  {role: data_plane, role_traditional: {config_provider: etcd}, admin: {admin_key: [{key: a, role: king}]}}
nginx_config:
  {worker_processes: 0, error_log_level: loud, http: {keepalive_timeout: soon, client_max_body_size: -1}}
)");
  EXPECT_FALSE(got.config);
  for (const std::string_view path :
       {"/apisix/node_listen", "/apisix/router/http", "/apisix/control/ip", "/apisix/trusted_addresses",
        "/deployment/role", "/deployment/role_traditional/config_provider", "/deployment/admin/admin_key",
        "/nginx_config/worker_processes", "/nginx_config/error_log_level",
        "/nginx_config/http/keepalive_timeout", "/nginx_config/http/client_max_body_size"}) {
    EXPECT_TRUE(names(got.findings.problems, path)) << path;
  }
}

TEST(Config, WarnsAboutKeysThatMeanNothing) {
  const Read got = read("apisix: {node_lisen: 9080, stream_proxy: {tcp: [9100]}}\nnginx_confg: {}");
  ASSERT_TRUE(got.config);
  EXPECT_TRUE(names(got.findings.warnings, "/apisix/node_lisen"));
  EXPECT_TRUE(names(got.findings.warnings, "/apisix/stream_proxy"));
  EXPECT_TRUE(names(got.findings.warnings, "/nginx_confg"));
}

TEST(Config, RefusesWhatIsNoYaml) {
  for (const std::string_view text : {"a: [", "- a\n- b", "just text", "apisix: 5"}) {
    EXPECT_FALSE(read(text).config) << text;
  }
}

}  // namespace
}  // namespace sluice::main
