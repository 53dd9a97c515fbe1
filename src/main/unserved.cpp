// SPDX-License-Identifier: Apache-2.0
#include "main/unserved.h"

#include <algorithm>

#include "plugins/list.h"

namespace sluice::main {
namespace {

struct Unserved {
  std::string_view section, key;
  std::string_view harmless;  // the value with which nothing is missed; "": what is empty, off or false
  std::string_view instead;
};

constexpr std::string_view no_lua = "this build has no Lua runtime";
constexpr std::string_view no_nginx = "nothing here is nginx; write the settings with keys of their own";
constexpr std::string_view moved = "APISIX 3 has it below deployment/admin; write it there";

constexpr Unserved unserved[] = {
    {"apisix", "extra_lua_path", "", no_lua},
    {"apisix", "extra_lua_cpath", "", no_lua},
    {"apisix", "lua_module_hook", "", no_lua},
    {"apisix", "normalize_uri_like_servlet", "",
     "paths are normalised as RFC 3986 says; parameters behind a semicolon stay part of the path"},
    {"apisix", "tracing", "", "no spans are made by this version"},
    {"apisix", "id", "", "an instance has no id of its own in this version"},
    {"apisix", "enable_admin_cors", "", moved},
    {"apisix", "admin_key", "", moved},
    {"apisix", "allow_admin", "", moved},
    {"apisix", "https_admin", "", moved},
    {"apisix", "admin_api_mtls", "", moved},
    {"apisix", "admin_listen", "", moved},
    {"apisix", "port_admin", "", "APISIX 3 has it as deployment/admin/admin_listen; write it there"},
    {"apisix", "config_center", "", "APISIX 3 has it as deployment/role_traditional/config_provider"},
    {"apisix.router", "ssl", "radixtree_sni", "there is no other way to choose a certificate"},
    {"deployment.admin", "enable_admin_ui", "false",
     "there is no dashboard in this version; use the Admin API, and set it to false"},
    {"nginx_config", "enable_cpu_affinity", "",
     "workers are not pinned to cores; bind the process with taskset, or CPUAffinity of the unit"},
    {"nginx_config", "worker_rlimit_core", "",
     "set it for the process with ulimit -c, or LimitCORE of the unit"},
    {"nginx_config", "main_configuration_snippet", "", no_nginx},
    {"nginx_config", "http_configuration_snippet", "", no_nginx},
    {"nginx_config", "http_server_configuration_snippet", "", no_nginx},
    {"nginx_config", "http_server_location_configuration_snippet", "", no_nginx},
    {"nginx_config", "http_admin_configuration_snippet", "", no_nginx},
    {"nginx_config", "http_end_configuration_snippet", "", no_nginx},
    {"nginx_config", "stream_configuration_snippet", "", no_nginx},
    {"nginx_config.http", "charset", "",
     "Content-Type goes to the client as the upstream wrote it; name the charset there, or with "
     "response-rewrite"},
    {"nginx_config.http", "underscores_in_headers", "true",
     "fields with an underscore in their name are always passed on"},
    {"nginx_config.http", "proxy_ssl_server_name", "true",
     "https upstreams are always told the server's name"},
    {"nginx_config.http.upstream", "keepalive", "320", "write keepalive_pool/size in the upstream"},
    {"nginx_config.http.upstream", "keepalive_requests", "1000",
     "write keepalive_pool/requests in the upstream"},
    {"nginx_config.http.upstream", "keepalive_timeout", "60s",
     "write keepalive_pool/idle_timeout in the upstream"},
    {"", "discovery", "",
     "no registry is asked by this version; name nodes by host name, which DNS keeps current"},
    {"", "ext-plugin", "", "plugins of other processes are not run by this version"},
    {"", "wasm", "", "WebAssembly plugins are not run by this version"},
    {"", "xrpc", "", "no protocol above TCP is spoken by this version; stream routes pass bytes on"},
    {"", "etcd", "", "APISIX 3 has it as deployment/etcd; write it there"},
};

// Why each is silent: docs/configuration.md.
struct Silent {
  std::string_view section, key;
};
constexpr Silent silent[] = {
    {"apisix", "enable_reuseport"},
    {"apisix", "events"},
    {"apisix.lru.secret", "count"},
    {"apisix.lru.secret", "neg_count"},
    {"apisix", "disable_sync_configuration_during_start"},
    {"apisix", "worker_startup_time_threshold"},
    {"deployment.etcd", "resync_delay"},
    {"deployment.etcd", "health_check_retry"},
    {"deployment.etcd", "use_grpc"},
    {"nginx_config", "envs"},
    {"nginx_config", "max_pending_timers"},
    {"nginx_config", "max_running_timers"},
    {"nginx_config", "meta"},
    {"nginx_config.stream", "metrics_zone_size"},
    {"nginx_config.stream", "lua_shared_dict"},
    {"nginx_config.stream", "custom_lua_shared_dict"},
    {"nginx_config.http", "variables_hash_max_size"},
    {"nginx_config.http", "lua_shared_dict"},
    {"nginx_config.http", "custom_lua_shared_dict"},
    {"plugin_attr.prometheus", "refresh_interval"},
    {"plugin_attr.prometheus", "allow_degradation"},
    {"plugin_attr.prometheus", "llm_prompt_tokens_buckets"},
    {"plugin_attr.prometheus", "llm_completion_tokens_buckets"},
};

// As `harmless` is written: nginx's on and off are true and false; nothing is "".
std::string plain(const json::Value& value) {
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_string())
    return value.as_string() == "on" ? "true" : value.as_string() == "off" ? "false" : value.as_string();
  if (value.is_integer()) return std::to_string(value.as_int());
  const bool empty =
      (value.is_array() && value.as_array().empty()) || (value.is_object() && value.as_object().empty());
  return empty ? "" : "something";
}

// nginx's snippets in APISIX's own file hold comments and nothing else.
bool only_comments(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t first = text.substr(at, end - at).find_first_not_of(" \t\r");
    if (first != std::string_view::npos && text[at + first] != '#') return false;
    at = end + 1;
  }
  return true;
}

bool asks_for_something(const json::Value& value, std::string_view harmless) {
  const std::string written = plain(value);
  if (!harmless.empty()) return written != harmless;
  return !written.empty() && written != "false" && !only_comments(written);
}

// In lists of plugins, ocsp-stapling stands for what ocsp_stapling of an ssl says, and is always there.
bool is_plugin(std::string_view name, plugin::Subsystem subsystem) {
  return (name == "ocsp-stapling" && subsystem == plugin::Subsystem::http) ||
         std::ranges::any_of(plugins::all(), [name, subsystem](const auto* type) {
           return type->name == name && type->serves(subsystem);
         });
}

}  // namespace

void note_unserved(Section& section, std::string_view name) {
  for (const auto& [in, key] : silent) {
    if (in == name) section.raw(key);
  }
  for (const auto& [in, key, harmless, instead] : unserved) {
    if (in != name) continue;
    const auto* value = section.raw(key);
    if (value != nullptr && asks_for_something(*value, harmless))
      section.warn(key, "has no effect here: " + std::string(instead));
  }
}

void note_unread_plugins(const json::Value& plugin_attr, json::Findings& findings) {
  static constexpr std::string_view read[]{"prometheus", "redirect", "batch-requests"};
  for (const auto& [name, ignored] : plugin_attr.as_object()) {
    if (std::ranges::find(read, name) != std::end(read)) continue;
    findings.warnings.push_back({"/plugin_attr/" + name,
                                 is_plugin(name, plugin::Subsystem::http)
                                     ? "has no effect here: this plugin reads nothing of it"
                                     : "is for a plugin that this version does not have; it is ignored",
                                 {}});
  }
}

void note_unknown_plugins(std::string_view path, const std::vector<std::string>& names,
                          plugin::Subsystem subsystem, json::Findings& findings) {
  std::string unknown;
  for (const std::string& name : names) {
    if (!is_plugin(name, subsystem)) unknown += (unknown.empty() ? "" : ", ") + name;
  }
  if (!unknown.empty())
    findings.warnings.push_back(
        {std::string(path),
         "names plugins that this version does not have; they are left out: " + unknown,
         {}});
}

}  // namespace sluice::main
