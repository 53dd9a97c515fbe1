// SPDX-License-Identifier: Apache-2.0
// config.yaml, read: APISIX's keys (docs/configuration.md lists those that are honoured), as far as this
// process needs them. Every problem is named with its path at once; a key that means nothing here is named in
// a warning with what to do instead.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "admin/keys.h"
#include "base/cidr.h"
#include "base/log.h"
#include "gateway/settings.h"
#include "json/findings.h"
#include "main/seals.h"
#include "plugin/cache_zones.h"
#include "plugin/metrics.h"
#include "secrets/secrets.h"
#include "net/resolver.h"
#include "store/etcd_client.h"
#include "store/history.h"

namespace sluice::main {

// `api`: APISIX's stand-alone mode that is driven by PUT /configs.
enum class StoreProvider : std::uint8_t { embedded, etcd, yaml, json, api };

struct Config {
  gateway::Settings gateway;
  std::size_t workers = 1;
  bool dev_mode = false;                // one worker, whatever worker_processes says
  log::Level error_log_level = log::Level::warn;
  std::string error_log = "logs/error.log";
  std::string user;                     // to become, when started as root
  std::uint64_t descriptors_max = 20480;  // nginx_config.worker_rlimit_nofile
  Duration shutdown_timeout = std::chrono::seconds(240);
  std::vector<std::string> plugins;     // enabled; empty: all
  std::vector<std::string> stream_plugins;  // the same for connections below HTTP
  net::ResolverOptions resolver;

  StoreProvider provider = StoreProvider::embedded;
  bool traffic = true;                  // false: a control plane
  EncryptionSettings encryption;
  secrets::Lifetimes secret_lifetimes;
  store::HistoryLimits history;
  store::EtcdOptions etcd;              // its `tls` is made of these:
  struct {
    std::string certificate, key;       // PEM files; relative ones are below PREFIX/conf
    bool verify = true;
  } etcd_tls;
  std::string trusted_certificate = "system";  // PEM file of the roots of servers' certificates
  bool tls_tickets = false;             // apisix.ssl.ssl_session_tickets

  bool admin = true;
  Endpoint admin_listen;
  bool admin_key_required = true;
  std::vector<admin::Key> admin_keys;   // empty: one is generated
  CidrSet admin_allow;
  bool admin_restricted = true;
  bool admin_cors = true;
  bool admin_v2 = false;  // answers have the shapes of APISIX 2.x
  bool stream_routes = false;             // apisix.proxy_mode has "stream" in it
  bool stream_proxy_protocol = false, stream_proxy_protocol_to_upstream = false;  // where a port says nothing
  bool admin_https = false;
  std::string admin_certificate, admin_certificate_key;  // PEM files; relative ones are below PREFIX/conf
  std::string admin_client_authority;                    // PEM file; "": clients need no certificate
  bool control = true;
  Endpoint control_listen;
  bool status = true;
  Endpoint status_listen;

  bool prometheus_export = true;
  Endpoint prometheus_listen;
  std::string prometheus_uri = "/apisix/prometheus/metrics";
  plugin::MetricsSettings metrics;
  plugin::CacheOptions cache = plugin::CacheOptions::standard();
  json::Value written;                  // the whole file
  std::string batch_requests_uri = "/apisix/batch-requests";
  json::Value plugin_attr;              // as written, for plugins that ask
};

// `text` is YAML; the problems are sentences for the operator. `prefix` is the directory that relative paths
// begin at.
std::optional<Config> read_config(std::string_view text, const std::string& prefix, json::Findings& findings);

}  // namespace sluice::main
