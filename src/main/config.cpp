// SPDX-License-Identifier: Apache-2.0
#include "main/config.h"

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "gateway/access_log.h"
#include "json/environment.h"
#include "json/text.h"
#include "main/cache_config.h"
#include "main/deployment.h"
#include "main/listen.h"
#include "main/section.h"
#include "main/stream_proxy.h"
#include "main/unserved.h"

namespace sluice::main {
namespace {

constexpr std::string_view default_log_format =
    "$remote_addr - $remote_user [$time_local] $http_host \"$request\" $status $body_bytes_sent "
    "$request_time "
    "\"$http_referer\" \"$http_user_agent\" $upstream_addr $upstream_status $upstream_response_time "
    "\"$upstream_scheme://$upstream_host$upstream_uri\" \"$apisix_request_id\"";

constexpr std::string_view default_stream_log_format =
    "$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time";

// How many cores this process may use: its affinity, and the cgroup's share.
std::size_t cores() {
  std::size_t count = std::max(1u, std::thread::hardware_concurrency());
  std::ifstream limit("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (limit >> quota >> period && quota != "max" && period > 0) {
    const auto share = static_cast<std::size_t>(std::max(1.0, std::stod(quota) / period + 0.5));
    count = std::min(count, share);
  }
  return count;
}

// `value` with the members named and no other.
json::Value only(const json::Value& value, std::initializer_list<std::string_view> names) {
  json::Value kept = json::Value::object();
  for (const std::string_view name : names) {
    if (const auto* member = value.find(name)) kept.set(std::string(name), *member);
  }
  return kept;
}

CidrSet networks(Section& section, std::string_view key, std::vector<std::string> texts) {
  auto parsed = CidrSet::parse(texts);
  if (parsed) return std::move(*parsed);
  section.problem(key, parsed.error().what);
  return {};
}

void read_resolver(Section& apisix, bool ipv6, net::ResolverOptions& resolver) {
  for (const std::string& text : apisix.texts("dns_resolver")) {
    const auto at = split_host_port(text);
    const auto address = at ? IpAddress::parse(at->host) : std::nullopt;
    if (address) resolver.servers.push_back({*address, at->port.value_or(53)});
    else
      apisix.problem("dns_resolver",
                     "'" + text + "' is no address of a name server; write 10.0.0.2 or 10.0.0.2:53");
  }
  Duration valid = Duration::zero();
  apisix.duration("dns_resolver_valid", valid);
  if (valid > Duration::zero()) resolver.valid = valid;
  apisix.duration("resolver_timeout", resolver.timeout);
  apisix.flag("enable_resolv_search_opt", resolver.search);
  resolver.ipv6 = ipv6;
}

void read_secret_lifetimes(Section lru, secrets::Lifetimes& into) {
  Section secret = lru.section("secret");
  secret.duration("ttl", into.known);
  secret.duration("neg_ttl", into.failed);
  for (const auto& [key, time] : {std::pair{"ttl", into.known}, {"neg_ttl", into.failed}})
    if (time < std::chrono::seconds(1)) secret.problem(key, "must be 1s or longer");
  note_unserved(secret, "apisix.lru.secret");
}

void read_encryption(Section encryption, EncryptionSettings& into) {
  encryption.flag("enable_encrypt_fields", into.enabled);
  into.keyring = encryption.texts("keyring");
  for (const std::string& key : into.keyring) {
    if (key.size() != 16 && key.size() != 32)
      encryption.problem("keyring", "has a key of " + std::to_string(key.size()) +
                                        " characters: 16 are a key of AES-128, 32 of AES-256");
  }
  if (!into.keyring.empty() && is_published(into.keyring.front()))
    encryption.warn("keyring", "begins with a key that APISIX has published: everybody can read what it "
                               "encrypts in etcd; write one of your own before it");
}

// Only etcd's secrets are encrypted with the keyring; without one they stand there as they are.
void note_missing_keyring(const Config& config, json::Findings& findings) {
  if (config.provider != StoreProvider::etcd || !config.encryption.keyring.empty() || !config.admin) return;
  findings.warnings.push_back(
      {"/apisix/data_encryption/keyring",
       "is not written, so secrets stand in etcd as they are written: name a key of 16 "
       "or 32 characters, the same on every node",
       {}});
}

void read_apisix(Section apisix, const std::string& prefix, Config& config) {
  bool ipv6 = true;
  apisix.flag("enable_ipv6", ipv6);
  apisix.flag("enable_http2", config.gateway.http2);
  read_node_listen(apisix, ipv6, config);
  read_ssl(apisix.section("ssl"), ipv6, config);
  read_proxy_protocol(apisix.section("proxy_protocol"), ipv6, config);
  config.gateway.tls.http2 = config.gateway.http2;
  read_stream_proxy(apisix, ipv6, config);
  std::string mode = "radixtree_host_uri";
  {
    Section router = apisix.section("router");
    router.text("http", mode);
    note_unserved(router, "apisix.router");
  }
  if (mode == "radixtree_uri") config.gateway.router = gateway::RouterMode::uri;
  else if (mode == "radixtree_uri_with_parameter")
    config.gateway.router = gateway::RouterMode::uri_with_parameter;
  else if (mode != "radixtree_host_uri")
    apisix.problem(
        "router/http",
        "'" + mode + "' is none of radixtree_host_uri, radixtree_uri, radixtree_uri_with_parameter");
  apisix.flag("delete_uri_tail_slash", config.gateway.delete_uri_tail_slash);
  apisix.flag("match_uri_encoded_slash", config.gateway.match_encoded_slash);
  std::size_t readable = config.gateway.body_limits.arguments >> 20;
  apisix.integer("max_post_args_readable_size", readable, 1, 1024);
  config.gateway.body_limits.arguments = readable << 20;
  bool no_checks = false;
  apisix.flag("disable_upstream_healthcheck", no_checks);
  config.gateway.health_checks = !no_checks;
  apisix.flag("show_upstream_status_in_response_header", config.gateway.show_upstream_status);
  bool tokens = true;
  apisix.flag("enable_server_tokens", tokens);
  if (!tokens) config.gateway.server.server_header = "APISIX";
  apisix.flag("enable_dev_mode", config.dev_mode);
  apisix.flag("enable_admin", config.admin);
  apisix.flag("enable_control", config.control);
  apisix.endpoint("control", config.control_listen);
  apisix.endpoint("status", config.status_listen);
  if (apisix.has("trusted_addresses")) {
    config.gateway.trusted = networks(apisix, "trusted_addresses", apisix.texts("trusted_addresses"));
    config.gateway.has_trusted = true;
  }
  read_resolver(apisix, ipv6, config.resolver);
  if (apisix.has("proxy_cache")) read_cache(apisix.section("proxy_cache"), prefix, config.cache);
  note_unserved(apisix, "apisix");
  read_secret_lifetimes(apisix.section("lru"), config.secret_lifetimes);
  read_encryption(apisix.section("data_encryption"), config.encryption);
}

// https_admin with its certificate; a CA asks clients for certificates of their own.
void read_admin_tls(Section& admin, Config& config) {
  admin.flag("https_admin", config.admin_https);
  Section files = admin.section("admin_api_mtls");
  files.text("admin_ssl_cert", config.admin_certificate);
  files.text("admin_ssl_cert_key", config.admin_certificate_key);
  files.text("admin_ssl_ca_cert", config.admin_client_authority);
  if (config.admin_https && (config.admin_certificate.empty() || config.admin_certificate_key.empty())) {
    admin.problem("https_admin",
                  "needs admin_api_mtls/admin_ssl_cert and admin_ssl_cert_key: the paths of PEM files");
  }
}

void read_admin(Section admin, Config& config) {
  admin.endpoint("admin_listen", config.admin_listen);
  admin.flag("enable_admin_cors", config.admin_cors);
  admin.flag("admin_key_required", config.admin_key_required);
  if (admin.has("allow_admin"))
    config.admin_allow = networks(admin, "allow_admin", admin.texts("allow_admin"));
  std::string version = "v3";
  admin.text("admin_api_version", version);
  if (version != "v2" && version != "v3") admin.problem("admin_api_version", "must be v2 or v3");
  config.admin_v2 = version == "v2";
  read_admin_tls(admin, config);
  note_unserved(admin, "deployment.admin");
}

// `admin_key: null` asks for no key, as APISIX's tests write it; an absent or empty list has one generated.
void read_admin_keys(const json::Value* admin_value, Section& deployment, Config& config) {
  const auto* keys = admin_value == nullptr ? nullptr : admin_value->find("admin_key");
  if (keys == nullptr) return;
  if (keys->is_null()) {
    config.admin_key_required = false;
    return;
  }
  if (!keys->is_array()) return deployment.problem("admin/admin_key", "must be a list of {name, key, role}");
  for (const auto& item : keys->as_array()) {
    const std::string_view key = item.text("key"), role = item.text("role", "admin");
    if (key.empty()) continue;
    if (role != "admin" && role != "viewer")
      deployment.problem("admin/admin_key", "has a role that is neither admin nor viewer");
    config.admin_keys.push_back({std::string(item.text("name", "admin")), std::string(key),
                                 role == "viewer" ? admin::Role::viewer : admin::Role::admin});
  }
}

void read_deployment(Section deployment, Config& config) {
  read_role(deployment, config);
  note_unserved(deployment, "deployment");
  const auto* admin = deployment.raw("admin");
  read_admin_keys(admin, deployment, config);
  if (admin != nullptr && admin->is_object()) {
    json::Value rest = *admin;
    rest.erase("admin_key");
    json::Findings findings;
    read_admin(Section(&rest, "/deployment/admin", deployment.findings()), config);
  }
}

// APISIX puts the text between single quotes into nginx.conf, where a backslash keeps a quote from ending it.
std::string unquoted_by_nginx(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && (next == '"' || next == '\'' || next == '\\')) ++i;
    out += text[i];
  }
  while (out.ends_with('\n')) out.pop_back();  // of YAML's block text
  return out;
}

void read_access_log(Section& section, const std::string& prefix, std::string_view usual_format,
                     gateway::AccessLogSettings& log) {
  section.flag("enable_access_log", log.on);
  section.text("access_log", log.path);
  if (log.path == "off") log.on = false;
  std::string format(usual_format), escape = "default";
  section.text("access_log_format", format);
  section.text("access_log_format_escape", escape);
  log.format = plugin::Template::compile(unquoted_by_nginx(format), plugin::find_variable,
                                         plugin::Template::Syntax::nginx);
  for (const std::string& name : log.format.unknown())
    section.warn("access_log_format", "names $" + name + ", which nothing provides; it is written as -");
  log.escape = escape == "json"   ? gateway::escape_json
               : escape == "none" ? nullptr
                                  : gateway::escape_default;
  if (!log.path.starts_with('/')) log.path.insert(0, prefix + "/");
}

void read_http(Section http, const std::string& prefix, Config& config) {
  auto& server = config.gateway.server;
  http.duration("keepalive_timeout", server.keepalive_timeout);
  http.duration("client_header_timeout", server.header_timeout);
  http.duration("client_body_timeout", server.body_timeout);
  http.duration("send_timeout", server.send_timeout);
  std::uint64_t body = 0;
  http.size("client_max_body_size", body);
  server.body_bytes_max = static_cast<std::int64_t>(body);
  http.integer("keepalive_requests", server.requests_max, 1, 1'000'000'000);
  read_access_log(http, prefix, default_log_format, config.gateway.access_log);
  http.integer("access_log_buffer", config.gateway.access_log.buffer, 1, 1 << 26);
  http.text("real_ip_header", config.gateway.real_ip_header);
  std::vector<std::string> from =
      http.has("real_ip_from") ? http.texts("real_ip_from") : std::vector<std::string>{"127.0.0.1"};
  std::erase(from, "unix:");
  config.gateway.real_ip_from = networks(http, "real_ip_from", from);
  http.flag("real_ip_recursive", config.gateway.real_ip_recursive);
  Section upstream = http.section("upstream");
  note_unserved(upstream, "nginx_config.http.upstream");
  note_unserved(http, "nginx_config.http");
}

void read_nginx(Section nginx, const std::string& prefix, Config& config) {
  config.workers = cores();
  if (const auto* workers = nginx.raw("worker_processes");
      workers != nullptr && !(workers->is_string() && workers->as_string() == "auto")) {
    nginx.integer("worker_processes", config.workers, 1, 1024);
  }
  nginx.text("user", config.user);
  nginx.text("error_log", config.error_log);
  if (!config.error_log.starts_with('/') && config.error_log != "stderr")
    config.error_log.insert(0, prefix + "/");
  std::string level = "warn";
  nginx.text("error_log_level", level);
  if (!log::parse_level(level, config.error_log_level))
    nginx.problem("error_log_level",
                  "'" + level + "' is none of debug, info, notice, warn, error, crit, alert, emerg");
  nginx.integer("worker_rlimit_nofile", config.descriptors_max, 64, 1 << 30);
  nginx.duration("worker_shutdown_timeout", config.shutdown_timeout);
  nginx.section("event").integer("worker_connections", config.gateway.connections_max, 1, 1 << 30);
  read_http(nginx.section("http"), prefix, config);
  Section stream = nginx.section("stream");
  read_access_log(stream, prefix, default_stream_log_format, config.gateway.stream_log);
  note_unserved(stream, "nginx_config.stream");
  note_unserved(nginx, "nginx_config");
}

void read_plugin_attr(Section attr, Config& config) {
  Section prometheus = attr.section("prometheus");
  prometheus.flag("enable_export_server", config.prometheus_export);
  prometheus.endpoint("export_addr", config.prometheus_listen);
  prometheus.text("export_uri", config.prometheus_uri);
  for (const std::string_view own : {"metric_prefix", "metrics", "default_buckets", "series_max"})
    prometheus.raw(own);
  note_unserved(prometheus, "plugin_attr.prometheus");
  if (const auto* own = attr.raw("prometheus"))
    config.metrics = plugin::MetricsSettings::from(*own, attr.findings());
  attr.section("batch-requests").text("uri", config.batch_requests_uri);
  attr.section("redirect").integer("https_port", config.gateway.https_port, 1, 65535);
}

// The version of APISIX that clients of the Admin API read from the Server field.
void read_server_version(Section& sluice, Config& config) {
  std::string version = "3.18.0";
  sluice.text("server_version", version);
  int parts = 0;
  bool numbers = true;
  for (std::string_view part : Split(version, '.')) {
    ++parts;
    numbers = numbers && parse_unsigned(part).has_value();
  }
  if (parts != 3 || !numbers)
    sluice.problem("server_version", "'" + version + "' is no version of APISIX, as 3.18.0");
  auto& header = config.gateway.server.server_header;
  if (header != "APISIX") header = "APISIX/" + version;
}

// What APISIX has no key for.
void read_sluice(Section sluice, Config& config) {
  read_server_version(sluice, config);
  Section history = sluice.section("history");
  history.integer("revisions_max", config.history.revisions_max, 1, 1'000'000'000);
  history.duration("age_max", config.history.age_max);
  history.size("bytes_max", config.history.bytes_max);
  sluice.flag("verify_upstreams", config.gateway.upstream_verify);
}

}  // namespace

std::optional<Config> read_config(std::string_view text, const std::string& prefix,
                                  json::Findings& findings) {
  Config config;
  config.admin_listen = {IpAddress::loopback(), 9180};
  config.control_listen = {IpAddress::loopback(), 9090};
  config.status_listen = {IpAddress::loopback(), 7085};
  config.prometheus_listen = {IpAddress::loopback(), 9091};
  config.admin_allow = *CidrSet::parse(std::vector<std::string>{"127.0.0.0/24", "::1"});
  auto parsed = json::parse_yaml(text);
  if (!parsed) {
    findings.problems.push_back({"", parsed.error().what, {}});
    return std::nullopt;
  }
  json::resolve_environment(*parsed, "", findings);
  config.written = *parsed;
  {
    Section root(&*parsed, "", findings);
    read_apisix(root.section("apisix"), prefix, config);
    read_deployment(root.section("deployment"), config);
    read_nginx(root.section("nginx_config"), prefix, config);
    root.section("graphql").integer("max_size", config.gateway.body_limits.graphql, 1, 64 << 20);
    read_sluice(root.section("sluice"), config);
    if (config.dev_mode) config.workers = 1;
    if (!config.traffic) {  // a control plane: one worker that nobody reaches
      config.gateway.listen.clear();
      config.gateway.stream_listen.clear();
      config.workers = 1;
    }
    if (root.has("plugins")) config.plugins = root.texts("plugins");
    if (root.has("stream_plugins")) config.stream_plugins = root.texts("stream_plugins");
    note_unknown_plugins("/plugins", config.plugins, plugin::Subsystem::http, findings);
    note_unknown_plugins("/stream_plugins", config.stream_plugins, plugin::Subsystem::stream, findings);
    if (const auto* attr = root.raw("plugin_attr")) config.plugin_attr = *attr;
    if (config.plugin_attr.is_object()) {
      const json::Value read_here = only(config.plugin_attr, {"prometheus", "redirect", "batch-requests"});
      read_plugin_attr(Section(&read_here, "/plugin_attr", findings), config);
      note_unread_plugins(config.plugin_attr, findings);
    }
    note_unserved(root, "");
  }
  const auto secure = std::ranges::find_if(
      config.gateway.listen, [](const auto& at) { return at.tls && !at.proxy_protocol; });
  if (config.gateway.https_port == 0 && secure != config.gateway.listen.end())
    config.gateway.https_port = secure->endpoint.port;
  note_missing_keyring(config, findings);
  if (!findings.ok()) return std::nullopt;
  return config;
}

}  // namespace sluice::main
