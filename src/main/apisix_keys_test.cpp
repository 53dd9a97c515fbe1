// SPDX-License-Identifier: Apache-2.0
// Every key of APISIX 3's configuration file, one at a time: it is served, or a warning says what to do
// instead, or nothing is missed without it. None is unknown.
#include <gtest/gtest.h>

#include "base/text.h"
#include "main/config.h"

namespace sluice::main {
namespace {

enum class Told : std::uint8_t { nothing, a_warning };

struct Key {
  std::string_view path, value;
  Told told = Told::nothing;
};

constexpr Key keys[] = {
    {"apisix.node_listen", "[9080]"},
    {"apisix.node_listen", "[{ip: 127.0.0.2, port: 9081}]"},
    {"apisix.node_listen", "[{port: 9082, enable_http2: true}]"},
    {"apisix.enable_admin", "true"},
    {"apisix.enable_dev_mode", "false"},
    {"apisix.enable_reuseport", "true"},
    {"apisix.show_upstream_status_in_response_header", "false"},
    {"apisix.enable_ipv6", "true"},
    {"apisix.enable_http2", "true"},
    {"apisix.enable_server_tokens", "false"},
    {"apisix.extra_lua_path", "/opt/lua", Told::a_warning},
    {"apisix.extra_lua_cpath", "/opt/so", Told::a_warning},
    {"apisix.lua_module_hook", "my_hook", Told::a_warning},
    {"apisix.proxy_protocol", "{listen_http_port: 9181, listen_https_port: 9182}"},
    {"apisix.proxy_protocol", "{enable_tcp_pp: true}"},
    {"apisix.proxy_cache",
     "{cache_ttl: 10s, zones: [{name: one, memory_size: 50m, disk_path: /tmp/c}]}"},
    {"apisix.delete_uri_tail_slash", "true"},
    {"apisix.normalize_uri_like_servlet", "true", Told::a_warning},
    {"apisix.match_uri_encoded_slash", "true"},
    {"apisix.max_post_args_readable_size", "64"},
    {"apisix.router.http", "radixtree_uri"},
    {"apisix.router.ssl", "radixtree_sni"},
    {"apisix.router.ssl", "other", Told::a_warning},
    {"apisix.proxy_mode", "http"},
    {"apisix.proxy_mode", "http&stream"},
    {"apisix.proxy_mode", "stream"},
    {"apisix.stream_proxy", "{tcp: [{addr: 9100, tls: true}], udp: [9200]}", Told::a_warning},
    {"apisix.dns_resolver", "[1.1.1.1]"},
    {"apisix.dns_resolver_valid", "30"},
    {"apisix.resolver_timeout", "5"},
    {"apisix.enable_resolv_search_opt", "true"},
    {"apisix.ssl.enable", "true"},
    {"apisix.ssl.enable", "false"},
    {"apisix.ssl.listen", "[{port: 9443, enable_http3: false}]"},
    {"apisix.ssl.ssl_protocols", "TLSv1.2 TLSv1.3"},
    {"apisix.ssl.ssl_ciphers", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"apisix.ssl.ssl_session_tickets", "false"},
    {"apisix.ssl.ssl_trusted_certificate", "system"},
    {"apisix.ssl.fallback_sni", "my.default.sni"},
    {"apisix.enable_control", "true"},
    {"apisix.control", "{ip: 127.0.0.1, port: 9090}"},
    {"apisix.disable_sync_configuration_during_start", "false"},
    {"apisix.worker_startup_time_threshold", "60"},
    {"apisix.data_encryption.enable_encrypt_fields", "true"},
    {"apisix.data_encryption.keyring", "[0123456789abcdef]"},
    {"apisix.data_encryption.keyring", "[qeddd145sfvddff3, edd1c9f0985e76a2]", Told::a_warning},
    {"apisix.status", "{ip: 127.0.0.1, port: 7085}"},
    {"apisix.disable_upstream_healthcheck", "false"},
    {"apisix.trusted_addresses", "[127.0.0.1, 172.18.0.0/16]"},
    {"apisix.lru.secret.ttl", "300"},
    {"apisix.lru.secret.count", "512"},
    {"apisix.lru.secret.neg_ttl", "60"},
    {"apisix.lru.secret.neg_count", "512"},
    {"apisix.tracing", "false"},
    {"apisix.tracing", "true", Told::a_warning},
    {"apisix.events", "{module: lua-resty-events}"},
    {"apisix.id", "my-node", Told::a_warning},
    {"nginx_config.user", "root"},
    {"nginx_config.error_log", "logs/error.log"},
    {"nginx_config.error_log_level", "warn"},
    {"nginx_config.worker_processes", "auto"},
    {"nginx_config.enable_cpu_affinity", "true", Told::a_warning},
    {"nginx_config.worker_rlimit_nofile", "20480"},
    {"nginx_config.worker_shutdown_timeout", "240s"},
    {"nginx_config.max_pending_timers", "16384"},
    {"nginx_config.max_running_timers", "4096"},
    {"nginx_config.event.worker_connections", "10620"},
    {"nginx_config.envs", "[TEST_ENV]"},
    {"nginx_config.meta.lua_shared_dict",
     "{prometheus-metrics: 15m, prometheus-cache: 10m, standalone-config: 10m, upstream-healthcheck: 10m}"},
    {"nginx_config.stream.enable_access_log", "true"},
    {"nginx_config.stream.access_log", "logs/access_stream.log"},
    {"nginx_config.stream.access_log_format", "$remote_addr $protocol $status $upstream_addr"},
    {"nginx_config.stream.access_log_format_escape", "default"},
    {"nginx_config.stream.metrics_zone_size", "1m"},
    {"nginx_config.stream.lua_shared_dict", "{plugin-limit-conn-stream: 10m}"},
    {"nginx_config.main_configuration_snippet", "daemon off;", Told::a_warning},
    {"nginx_config.http_configuration_snippet", "etag off;", Told::a_warning},
    {"nginx_config.http_server_configuration_snippet", "etag off;", Told::a_warning},
    {"nginx_config.http_server_location_configuration_snippet", "etag off;", Told::a_warning},
    {"nginx_config.http_admin_configuration_snippet", "etag off;", Told::a_warning},
    {"nginx_config.http_end_configuration_snippet", "etag off;", Told::a_warning},
    {"nginx_config.stream_configuration_snippet", "tcp_nodelay on;", Told::a_warning},
    {"nginx_config.http.enable_access_log", "true"},
    {"nginx_config.http.access_log", "logs/access.log"},
    {"nginx_config.http.access_log_buffer", "16384"},
    {"nginx_config.http.access_log_format", "$remote_addr $status"},
    {"nginx_config.http.access_log_format_escape", "default"},
    {"nginx_config.http.keepalive_timeout", "60s"},
    {"nginx_config.http.client_header_timeout", "60s"},
    {"nginx_config.http.client_body_timeout", "60s"},
    {"nginx_config.http.client_max_body_size", "0"},
    {"nginx_config.http.send_timeout", "10s"},
    {"nginx_config.http.underscores_in_headers", R"("on")"},
    {"nginx_config.http.underscores_in_headers", R"("off")", Told::a_warning},
    {"nginx_config.http.real_ip_header", "X-Real-IP"},
    {"nginx_config.http.real_ip_recursive", R"("off")"},
    {"nginx_config.http.real_ip_from", R"([127.0.0.1, "unix:"])"},
    {"nginx_config.http.custom_lua_shared_dict", "{ipc_shared_dict: 100m}"},
    {"nginx_config.http.proxy_ssl_server_name", "true"},
    {"nginx_config.http.upstream.keepalive", "320"},
    {"nginx_config.http.upstream.keepalive", "10", Told::a_warning},
    {"nginx_config.http.upstream.keepalive_requests", "10", Told::a_warning},
    {"nginx_config.http.upstream.keepalive_timeout", "10s", Told::a_warning},
    {"nginx_config.http.charset", "utf-8", Told::a_warning},
    {"nginx_config.http.variables_hash_max_size", "2048"},
    {"nginx_config.http.lua_shared_dict", "{internal-status: 10m, tracing_buffer: 32m}"},
    {"discovery.dns", R"({servers: ["127.0.0.1:8600"], order: [last, SRV, A]})", Told::a_warning},
    {"discovery.eureka", R"({host: ["http://127.0.0.1:8761"], prefix: /eureka/})", Told::a_warning},
    {"discovery.nacos", R"({host: ["http://127.0.0.1:8848"], fetch_interval: 30})", Told::a_warning},
    {"discovery.consul_kv", R"({servers: ["http://127.0.0.1:8500"]})", Told::a_warning},
    {"discovery.consul", R"({servers: ["http://127.0.0.1:8500"]})", Told::a_warning},
    {"discovery.kubernetes",
     R"({service: {schema: https, host: a, port: "443"}, client: {token_file: /t}})", Told::a_warning},
    {"graphql.max_size", "1048576"},
    {"ext-plugin.cmd", "[/bin/runner]", Told::a_warning},
    {"wasm.plugins", "[{name: wasm_log, priority: 7999, file: t.wasm}]", Told::a_warning},
    {"xrpc.protocols", "[{name: pingpong}]", Told::a_warning},
    {"plugins", "[key-auth, cors, ocsp-stapling]"},
    {"plugins", "[key-auth, zipkin]", Told::a_warning},
    {"stream_plugins", "[ip-restriction, limit-conn]"},
    {"stream_plugins", "[mqtt-proxy-2, syslog]", Told::a_warning},
    {"plugin_attr.ai-proxy", "{http_client: ngx_http_ffi_client}", Told::a_warning},
    {"plugin_attr.log-rotate",
     "{timeout: 10000, interval: 3600, max_kept: 168}", Told::a_warning},
    {"plugin_attr.skywalking", "{service_name: APISIX, report_interval: 3}", Told::a_warning},
    {"plugin_attr.opentelemetry",
     R"({trace_id_source: x-request-id, collector: {address: "127.0.0.1:4318"}})", Told::a_warning},
    {"plugin_attr.prometheus.export_uri", "/apisix/prometheus/metrics"},
    {"plugin_attr.prometheus.metric_prefix", "apisix_"},
    {"plugin_attr.prometheus.enable_export_server", "true"},
    {"plugin_attr.prometheus.export_addr", "{ip: 127.0.0.1, port: 9091}"},
    {"plugin_attr.prometheus.metrics", "{http_status: {extra_labels: [{upstream_addr: $upstream_addr}]}}"},
    {"plugin_attr.prometheus.default_buckets", "[10, 50, 100]"},
    {"plugin_attr.prometheus.refresh_interval", "15"},
    {"plugin_attr.prometheus.allow_degradation", "true"},
    {"plugin_attr.prometheus.llm_prompt_tokens_buckets", "[10]"},
    {"plugin_attr.prometheus.llm_completion_tokens_buckets", "[10]"},
    {"plugin_attr.server-info", "{report_ttl: 60}", Told::a_warning},
    {"plugin_attr.dubbo-proxy", "{upstream_multiplex_count: 32}", Told::a_warning},
    {"plugin_attr.proxy-mirror", "{timeout: {connect: 60s}}", Told::a_warning},
    {"plugin_attr.redirect", "{https_port: 8443}"},
    {"plugin_attr.inspect", "{delay: 3, hooks_file: /h.lua}", Told::a_warning},
    {"plugin_attr.zipkin", "{set_ngx_var: false}", Told::a_warning},
    {"deployment.role", "traditional"},
    {"deployment.role_traditional.config_provider", "embedded"},
    {"deployment.role_data_plane.config_provider", "etcd"},
    {"deployment.role_control_plane.config_provider", "etcd"},
    {"deployment.admin.admin_key_required", "true"},
    {"deployment.admin.admin_key", R"([{name: admin, key: "", role: admin}])"},
    {"deployment.admin.enable_admin_cors", "true"},
    {"deployment.admin.enable_admin_ui", "true", Told::a_warning},
    {"deployment.admin.allow_admin", "[127.0.0.0/24]"},
    {"deployment.admin.admin_listen", "{ip: 0.0.0.0, port: 9180}"},
    {"deployment.admin.https_admin", "false"},
    {"deployment.admin.admin_api_mtls",
     R"({admin_ssl_cert: "", admin_ssl_cert_key: "", admin_ssl_ca_cert: ""})"},
    {"deployment.admin.admin_api_version", "v3"},
    {"deployment.etcd.host", R"(["http://127.0.0.1:2379"])", Told::a_warning},
    {"etcd.host", R"(["http://127.0.0.1:2379"])", Told::a_warning},
};

// "a: {b: VALUE}" of "a.b".
std::string file_with(std::string_view path, std::string_view value) {
  std::string text(value), closing;
  std::string opened;
  for (std::string_view part : Split(path, '.')) {
    if (!opened.empty()) opened += "{", closing += "}";
    opened.append(part).append(": ");
  }
  return opened + text + closing;
}

TEST(ApisixKeys, EachIsServedOrToldOf) {
  for (const Key& key : keys) {
    json::Findings findings;
    const auto text = file_with(key.path, key.value);
    const auto config = read_config(text, "/opt/sluice", findings);
    EXPECT_TRUE(config.has_value()) << text;
    for (const auto& problem : findings.problems) ADD_FAILURE() << problem.path << " " << problem.what;
    for (const auto& warning : findings.warnings)
      EXPECT_EQ(warning.what.find("is not a key that Sluice knows"), std::string::npos) << warning.path;
    EXPECT_EQ(findings.warnings.empty(), key.told == Told::nothing)
        << text << " " << (findings.warnings.empty() ? "" : findings.warnings.front().what);
  }
}

}  // namespace
}  // namespace sluice::main
