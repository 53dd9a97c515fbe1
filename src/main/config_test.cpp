// SPDX-License-Identifier: Apache-2.0
#include "main/config.h"

#include <gtest/gtest.h>

#include <cstdlib>

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
    ASSERT_EQ(config.gateway.listen.size(), 4u);
    EXPECT_EQ(config.gateway.listen[0].endpoint.text(), "0.0.0.0:9080");
    EXPECT_EQ(config.gateway.listen[1].endpoint.text(), "[::]:9080");
    EXPECT_FALSE(config.gateway.listen[1].tls);
    EXPECT_EQ(config.gateway.listen[2].endpoint.text(), "0.0.0.0:9443");
    EXPECT_EQ(config.gateway.listen[3].endpoint.text(), "[::]:9443");
    EXPECT_TRUE(config.gateway.listen[2].tls);
    EXPECT_TRUE(config.gateway.tls.protocols.empty());
    EXPECT_FALSE(config.tls_tickets);
    EXPECT_TRUE(config.gateway.upstream_verify);
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
    EXPECT_EQ(config.gateway.access_log.path, "/prefix/logs/access.log");
    EXPECT_EQ(config.gateway.access_log.buffer, 16384u);
    EXPECT_FALSE(config.gateway.stream_log.on);
    EXPECT_EQ(config.gateway.stream_log.path, "/prefix/logs/access_stream.log");
    EXPECT_EQ(config.gateway.stream_log.format.text(),
              "$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time");
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
  ssl:
    listen: [{ip: 127.0.0.1, port: 9444}]
    ssl_protocols: TLSv1.3
    ssl_session_tickets: true
    fallback_sni: My.Test
    ssl_trusted_certificate: roots.pem
sluice: {verify_upstreams: false}
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
  ASSERT_EQ(config.gateway.listen.size(), 3u);
  EXPECT_EQ(config.gateway.listen[0].endpoint.text(), "0.0.0.0:9081");
  EXPECT_EQ(config.gateway.listen[1].endpoint.text(), "127.0.0.1:9082");
  EXPECT_EQ(config.gateway.listen[2].endpoint.text(), "127.0.0.1:9444");
  EXPECT_TRUE(config.gateway.listen[2].tls);
  EXPECT_EQ(config.gateway.tls.protocols, std::vector<std::string>{"TLSv1.3"});
  EXPECT_TRUE(config.tls_tickets);
  EXPECT_EQ(config.gateway.fallback_server_name, "my.test");
  EXPECT_EQ(config.trusted_certificate, "roots.pem");
  EXPECT_FALSE(config.gateway.upstream_verify);
  EXPECT_EQ(config.gateway.https_port, 9444);
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
  EXPECT_EQ(config.gateway.access_log.path, "/x");
  EXPECT_FALSE(config.gateway.access_log.on);
}

TEST(Config, BoundsTheHistory) {
  const Read got = read("sluice: {history: {revisions_max: 7, age_max: 30d, bytes_max: 10m}}");
  ASSERT_TRUE(got.config);
  EXPECT_EQ(got.config->history.revisions_max, 7);
  EXPECT_EQ(got.config->history.age_max, std::chrono::hours(24 * 30));
  EXPECT_EQ(got.config->history.bytes_max, 10u << 20);
  EXPECT_TRUE(names(read("sluice: {history: {revisions_max: 0}}").findings.problems,
                    "/sluice/history/revisions_max"));
}

TEST(Config, NamesEveryProblemAtOnce) {
  const Read got = read(R"(
apisix: {node_listen: 70000, router: {http: trie}, control: {ip: nowhere}, trusted_addresses: [10.0.0.0/99]}
deployment:
  role: traditional
  role_traditional: {config_provider: consul}
  admin: {admin_key: [{key: a, role: king}]}
  etcd: {host: ["10.0.0.1:2379"], prefix: apisix/, user: root, timeout: 0, tls: {cert: a.pem}}
nginx_config:
  {worker_processes: 0, error_log_level: loud, http: {keepalive_timeout: soon, client_max_body_size: -1}}
)");
  EXPECT_FALSE(got.config);
  for (const std::string_view path :
       {"/apisix/node_listen", "/apisix/router/http", "/apisix/control/ip", "/apisix/trusted_addresses",
        "/deployment/role_traditional/config_provider", "/deployment/admin/admin_key",
        "/deployment/etcd/host", "/deployment/etcd/prefix", "/deployment/etcd/user",
        "/deployment/etcd/timeout", "/deployment/etcd/tls/cert", "/nginx_config/worker_processes",
        "/nginx_config/error_log_level", "/nginx_config/http/keepalive_timeout",
        "/nginx_config/http/client_max_body_size"}) {
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

TEST(Config, RolesAndProviders) {
  const auto of = [](std::string_view text) { return read("deployment: {" + std::string(text) + "}"); };
  EXPECT_EQ(of("").config->provider, StoreProvider::embedded);
  const Read etcd =
      of("role_traditional: {config_provider: etcd}, etcd: {host: 'https://[::1]', prefix: /a/b, "
         "timeout: 3, tls: {verify: false, sni: etcd.local}}");
  ASSERT_TRUE(etcd.config);
  EXPECT_EQ(etcd.config->provider, StoreProvider::etcd);
  EXPECT_EQ(etcd.config->etcd.members.at(0).port, 2379);
  EXPECT_TRUE(etcd.config->etcd.members.at(0).secure);
  EXPECT_EQ(etcd.config->etcd.prefix, "/a/b");
  EXPECT_EQ(etcd.config->etcd.timeout, 3s);
  EXPECT_FALSE(etcd.config->etcd_tls.verify);
  EXPECT_EQ(etcd.findings.warnings.size(), 1u);
  EXPECT_TRUE(names(etcd.findings.warnings, "/apisix/data_encryption/keyring"));
  EXPECT_TRUE(names(of("etcd: {host: 'http://a'}").findings.warnings, "/deployment/etcd"));
  const Read file = of("role: data_plane, role_data_plane: {config_provider: json}");
  EXPECT_EQ(file.config->provider, StoreProvider::json);
  EXPECT_FALSE(file.config->admin);
  const Read control = of("role: control_plane");
  EXPECT_EQ(control.config->provider, StoreProvider::etcd);
  EXPECT_FALSE(control.config->traffic);
  EXPECT_TRUE(names(of("role: control_plane, role_control_plane: {config_provider: yaml}").findings.problems,
                    "/deployment/role_control_plane/config_provider"));
  EXPECT_TRUE(names(of("role: queen").findings.problems, "/deployment/role"));
  EXPECT_FALSE(names(of("role_traditional: {config_provider: yaml}").findings.warnings, "/deployment/etcd"));
}

// A key of APISIX's is served, named in a warning, or read over because nothing is missed without it; none is
// unknown.
TEST(Config, KnowsEveryKeyOfApisix) {
  const Read got = read(R"(
apisix:
  {node_listen: [9080], enable_admin: true, enable_dev_mode: false, enable_reuseport: true, enable_ipv6: true,
   show_upstream_status_in_response_header: false, enable_http2: false, enable_server_tokens: true,
   extra_lua_path: "", extra_lua_cpath: "", lua_module_hook: "", delete_uri_tail_slash: false,
   normalize_uri_like_servlet: false, match_uri_encoded_slash: false, max_post_args_readable_size: 64,
   router: {http: radixtree_host_uri, ssl: radixtree_sni}, proxy_mode: http, resolver_timeout: 5,
   dns_resolver: [10.0.0.2], dns_resolver_valid: 30, enable_resolv_search_opt: true, enable_control: true,
   control: {ip: 127.0.0.1, port: 9090}, status: {ip: 127.0.0.1, port: 7085}, trusted_addresses: [10.0.0.1],
   disable_sync_configuration_during_start: false, worker_startup_time_threshold: 60, tracing: false,
   disable_upstream_healthcheck: false, events: {module: lua-resty-events}, lru: {secret: {ttl: 300}},
   ssl: {enable: false, listen: [{port: 9443, enable_http3: false}], ssl_protocols: TLSv1.3},
   data_encryption: {enable_encrypt_fields: false, keyring: [0123456789abcdef]}}
nginx_config:
  {error_log: logs/error.log, error_log_level: warn, worker_processes: auto, enable_cpu_affinity: false,
   worker_rlimit_nofile: 20480, worker_shutdown_timeout: 240s, max_pending_timers: 16384,
   max_running_timers: 4096, event: {worker_connections: 10620}, envs: [HOME],
   meta: {lua_shared_dict: {prometheus-metrics: 15m}}, stream:
     {enable_access_log: false, access_log: logs/access_stream.log, access_log_format: a,
      metrics_zone_size: 1m, access_log_format_escape: default, lua_shared_dict: {a: 1m},
      custom_lua_shared_dict: {a: 1m}},
   main_configuration_snippet: "# nothing\n  # here\n", http_configuration_snippet: "",
   http:
    {enable_access_log: true, access_log: logs/access.log, access_log_buffer: 16384, access_log_format: a,
     access_log_format_escape: default, keepalive_timeout: 60s, client_header_timeout: 60s,
     client_body_timeout: 60s, client_max_body_size: 0, send_timeout: 10s, underscores_in_headers: "on",
     real_ip_header: X-Real-IP, real_ip_recursive: "off", real_ip_from: [127.0.0.1, "unix:"],
     custom_lua_shared_dict: {a: 1m}, proxy_ssl_server_name: true, variables_hash_max_size: 2048,
     upstream: {keepalive: 320, keepalive_requests: 1000, keepalive_timeout: 60s},
     lua_shared_dict: {discovery: 1m}}}
stream_plugins: [ip-restriction]
graphql: {max_size: 1048576}
plugins: [key-auth, cors]
plugin_attr:
  {prometheus: {export_uri: /m, metric_prefix: a_, enable_export_server: true, refresh_interval: 15,
                export_addr: {ip: 127.0.0.1, port: 9091}, default_buckets: [10]}}
deployment:
  {role: traditional, role_traditional: {config_provider: etcd},
   etcd: {host: ["http://127.0.0.1:2379"], prefix: /apisix, timeout: 30, watch_timeout: 50, startup_retry: 2,
          user: u, password: p, tls: {verify: true, sni: e}, health_check_timeout: 10, resync_delay: 5},
   role_data_plane: {config_provider: etcd}, role_control_plane: {config_provider: etcd},
   admin: {admin_key_required: true, admin_key: [{name: a, key: "", role: admin}], enable_admin_cors: true,
           enable_admin_ui: false, allow_admin: [127.0.0.0/24], admin_listen: {ip: 127.0.0.1, port: 9180},
           https_admin: false, admin_api_mtls: {admin_ssl_cert: ""}, admin_api_version: v3}}
)");
  ASSERT_TRUE(got.config) << got.findings.problems.front().path << got.findings.problems.front().what;
  for (const auto& warning : got.findings.warnings) ADD_FAILURE() << warning.path << " " << warning.what;
}

TEST(Config, ReadsPortsOfProxies) {
  const Read got = read(R"(
apisix:
  node_listen: [9080]
  ssl: {enable: false}
  enable_ipv6: false
  proxy_protocol: {listen_http_port: 9181, listen_https_port: [{ip: 127.0.0.1, port: 9182}]}
)");
  ASSERT_TRUE(got.config) << got.findings.problems.front().what;
  const auto& listen = got.config->gateway.listen;
  ASSERT_EQ(listen.size(), 3u);
  EXPECT_FALSE(listen[0].proxy_protocol);
  EXPECT_EQ(listen[1].endpoint.text(), "0.0.0.0:9181");
  EXPECT_TRUE(listen[1].proxy_protocol && !listen[1].tls);
  EXPECT_EQ(listen[2].endpoint.text(), "127.0.0.1:9182");
  EXPECT_TRUE(listen[2].proxy_protocol && listen[2].tls);
  EXPECT_EQ(got.config->gateway.https_port, 0);  // clients are not sent to a port of proxies
  const Read taken = read("apisix: {proxy_protocol: {listen_http_port: 9080}}");
  EXPECT_FALSE(taken.config);
  EXPECT_TRUE(names(taken.findings.problems, "/apisix/proxy_protocol/listen_http_port"));
  const Read none = read("apisix: {proxy_protocol: {listen_http_port: many}}");
  EXPECT_TRUE(names(none.findings.problems, "/apisix/proxy_protocol/listen_http_port"));
}

TEST(Config, ReadsPortsOfStreams) {
  const Read got = read(R"(
apisix:
  enable_ipv6: false
  proxy_mode: http&stream
  stream_proxy: {tcp: [9100, "9200-9202", "127.0.0.1:9300", {addr: "[::1]:9400-9401", tls: true}]}
)");
  ASSERT_TRUE(got.config) << got.findings.problems.front().path << got.findings.problems.front().what;
  std::string ports;
  for (const auto& at : got.config->gateway.stream_listen)
    ports += at.endpoint.text() + (at.tls ? " tls " : " ");
  EXPECT_EQ(ports, "0.0.0.0:9100 0.0.0.0:9200 0.0.0.0:9201 0.0.0.0:9202 127.0.0.1:9300 [::1]:9400 tls "
                   "[::1]:9401 tls ");
  EXPECT_TRUE(got.config->stream_routes);
  const Read proxies = read(R"(
apisix:
  proxy_mode: stream
  proxy_protocol: {enable_tcp_pp: true}
  stream_proxy:
    tcp: ["127.0.0.1:1", {addr: "127.0.0.1:2", proxy_protocol: false, proxy_protocol_to_upstream: 2}]
)");
  ASSERT_TRUE(proxies.config) << proxies.findings.problems.front().what;
  const auto& ports_of_proxies = proxies.config->gateway.stream_listen;
  EXPECT_TRUE(ports_of_proxies[0].proxy_protocol && !ports_of_proxies[0].proxy_protocol_to_upstream);
  EXPECT_TRUE(!ports_of_proxies[1].proxy_protocol);
  EXPECT_EQ(ports_of_proxies[1].proxy_protocol_to_upstream, net::ProxyVersion::binary);
  EXPECT_EQ(got.config->gateway.listen.size(), 2u);
  const Read datagrams =
      read("apisix: {proxy_mode: stream, stream_proxy: {udp: [\"127.0.0.1:9100-9101\", \"[::1]:53\"]}}");
  ASSERT_TRUE(datagrams.config);
  EXPECT_EQ(datagrams.config->gateway.datagram_listen.size(), 3u);
  EXPECT_TRUE(datagrams.config->gateway.stream_listen.empty());
  EXPECT_FALSE(read("apisix: {proxy_mode: stream, stream_proxy: {udp: [{addr: 53, tls: true}]}}").config);
  EXPECT_TRUE(read("apisix: {proxy_mode: stream}").config->gateway.listen.empty());
  for (const std::string_view wrong : {"0", "65536", "\"9-8\"", "\"a:80\"", "\"\"", "[]", "{tls: true}",
                                       "{addr: 9100, tls: 1}", "{addr: 9100, ssl: true}", "\"1-5000\""}) {
    const Read refused =
        read("apisix: {proxy_mode: stream, stream_proxy: {tcp: [" + std::string(wrong) + "]}}");
    EXPECT_FALSE(refused.config) << wrong;
    EXPECT_TRUE(names(refused.findings.problems, "/apisix/stream_proxy/tcp")) << wrong;
  }
  EXPECT_FALSE(read("apisix: {proxy_mode: stream, stream_proxy: {tcp: [9100, 9100]}}").config);
  EXPECT_FALSE(read("apisix: {proxy_mode: tcp}").config);
}

TEST(Config, NamesWhatWouldBeMissed) {
  struct Case {
    std::string_view text, path;
  };
  for (const auto& [text, path] : {
           Case{"apisix: {enable_http2: true}", ""},
           {"apisix: {stream_proxy: {tcp: [9100]}}", "/apisix/stream_proxy"},
           {"apisix: {proxy_mode: stream, stream_proxy: {only: true}}", "/apisix/stream_proxy/only"},
           {"apisix: {proxy_mode: http&stream, stream_proxy: {tcp: [9100]}}", ""},
           {"apisix: {ssl: {enable: true}}", ""},
           {"apisix: {ssl: {listen: [{port: 9443, enable_http3: true}]}}", "/apisix/ssl/listen"},
           {"apisix: {ssl: {listen: [{port: 9443}]}}", ""},
           {"apisix: {ssl: {ssl_protocols: TLSv1.3}}", ""},
           {"apisix: {data_encryption: {enable_encrypt_fields: true}}", ""},
           {"apisix: {data_encryption: {keyring: qeddd145sfvddff3}}", "/apisix/data_encryption/keyring"},
           {"apisix: {data_encryption: {keyring: [a-key-of-one-s-own-of-32-letters]}}", ""},
           {"apisix: {router: {ssl: other}}", "/apisix/router/ssl"},
           {"apisix: {extra_lua_path: /a}", "/apisix/extra_lua_path"},
           {"apisix: {proxy_cache: {cache_ttl: 10s}}", ""},
           {"apisix: {proxy_cache: {zones: [{name: a, disk: /x}]}}", "/apisix/proxy_cache/zones/0/disk"},
           {"apisix: {normalize_uri_like_servlet: true}", "/apisix/normalize_uri_like_servlet"},
           {"apisix: {tracing: true}", "/apisix/tracing"},
           {"apisix: {id: here}", "/apisix/id"},
           {"apisix: {allow_admin: [10.0.0.0/8]}", "/apisix/allow_admin"},
           {"apisix: {config_center: etcd}", "/apisix/config_center"},
           {"deployment: {admin: {enable_admin_ui: true}}", "/deployment/admin/enable_admin_ui"},
           {"nginx_config: {enable_cpu_affinity: true}", "/nginx_config/enable_cpu_affinity"},
           {"nginx_config: {worker_rlimit_core: 1G}", "/nginx_config/worker_rlimit_core"},
           {"nginx_config: {http_configuration_snippet: \"# a\\nlog_format b;\"}",
            "/nginx_config/http_configuration_snippet"},
           {"nginx_config: {http: {charset: utf-8}}", "/nginx_config/http/charset"},
           {"nginx_config: {http: {underscores_in_headers: off}}",
            "/nginx_config/http/underscores_in_headers"},
           {"nginx_config: {http: {proxy_ssl_server_name: false}}",
            "/nginx_config/http/proxy_ssl_server_name"},
           {"nginx_config: {http: {upstream: {keepalive: 10}}}", "/nginx_config/http/upstream/keepalive"},
           {"nginx_config: {http: {access_log_format: $nobody}}", "/nginx_config/http/access_log_format"},
           {"nginx_config: {stream: {access_log_format: $nobody}}", "/nginx_config/stream/access_log_format"},
           {"discovery: {dns: {servers: [a]}}", "/discovery"},
           {"ext-plugin: {cmd: [a]}", "/ext-plugin"},
           {"wasm: {plugins: [{name: a}]}", "/wasm"},
           {"xrpc: {protocols: [{name: a}]}", "/xrpc"},
           {"etcd: {host: [a]}", "/etcd"},
           {"plugins: [key-auth, no-such-plugin, nor-this]", "/plugins"},
           {"plugin_attr: {skywalking: {service_name: a}}", "/plugin_attr/skywalking"},
       }) {
    const Read got = read(text);
    EXPECT_TRUE(got.config) << text;
    EXPECT_EQ(got.findings.warnings.size(), path.empty() ? 0u : 1u) << text;
    if (!path.empty()) {
      EXPECT_TRUE(names(got.findings.warnings, path)) << text;
    }
  }
}

TEST(Config, TellsAVersionOfApisix) {
  const auto told = [](std::string_view text) {
    const Read got = read(text);
    return got.config ? got.config->gateway.server.server_header : got.findings.problems.front().path;
  };
  EXPECT_EQ(told(""), "APISIX/3.18.0");
  EXPECT_EQ(told("sluice: {server_version: 3.9.1}"), "APISIX/3.9.1");
  EXPECT_EQ(told("apisix: {enable_server_tokens: false}"), "APISIX");
  EXPECT_EQ(told("sluice: {server_version: new}"), "/sluice/server_version");
  EXPECT_EQ(told("sluice: {server_version: 3.1.x}"), "/sluice/server_version");
}

TEST(Config, TakesValuesFromTheEnvironment) {
  ::setenv("SLUICE_TEST_PORT", "9083", 1);
  ::setenv("SLUICE_TEST_FLAG", "false", 1);
  const Read got = read(R"(
apisix:
  node_listen: ${{SLUICE_TEST_PORT}}
  enable_ipv6: "${{ SLUICE_TEST_FLAG }}"
  ssl: {enable: "${{ SLUICE_TEST_FLAG }}"}
deployment: {admin: {admin_listen: {ip: "127.0.0.${{SLUICE_TEST_NONE:=7}}"}}}
)");
  ASSERT_TRUE(got.config) << got.findings.problems.front().what;
  ASSERT_EQ(got.config->gateway.listen.size(), 1u);
  EXPECT_EQ(got.config->gateway.listen[0].endpoint.text(), "0.0.0.0:9083");
  EXPECT_EQ(got.config->admin_listen.text(), "127.0.0.7:9180");
  const Read missing = read("nginx_config: {error_log: \"logs/${{SLUICE_TEST_NONE}}.log\"}");
  EXPECT_FALSE(missing.config);
  EXPECT_TRUE(names(missing.findings.problems, "/nginx_config/error_log"));
}

TEST(Config, TakesALogFormatAsNginxDoes) {
  const Read got =
      read("nginx_config:\n  http:\n    access_log_format: |\n      \"$status\" \\\"$host\\\" \\\\\n");
  ASSERT_TRUE(got.config);
  EXPECT_EQ(got.config->gateway.access_log.format.text(), "\"$status\" \"$host\" \\");
}

TEST(Config, HasOneWorkerToDevelopWith) {
  const Read got = read("apisix: {enable_dev_mode: true}\nnginx_config: {worker_processes: 4}");
  ASSERT_TRUE(got.config);
  EXPECT_EQ(got.config->workers, 1u);
}

TEST(Config, RefusesWhatIsNoYaml) {
  for (const std::string_view text : {"a: [", "- a\n- b", "just text", "apisix: 5"}) {
    EXPECT_FALSE(read(text).config) << text;
  }
}

}  // namespace
}  // namespace sluice::main
