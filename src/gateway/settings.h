// SPDX-License-Identifier: Apache-2.0
// What the gateway itself is configured with (config.yaml), read by main/ and constant while the process
// runs.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cidr.h"
#include "gateway/certificates.h"
#include "gateway/route.h"
#include "http/server_connection.h"
#include "net/proxy_protocol.h"
#include "plugin/template.h"
#include "plugin/worker.h"

namespace sluice::gateway {

struct ListenAddress {
  Endpoint endpoint;
  bool tls = false;
  bool proxy_protocol = false;  // every connection begins with a PROXY header
};

// A port of connections below HTTP (apisix.stream_proxy).
struct StreamListen {
  Endpoint endpoint;
  bool tls = false;
  bool proxy_protocol = false;              // each connection begins with a PROXY header
  std::optional<net::ProxyVersion> proxy_protocol_to_upstream{};  // and so does each to an upstream
};

// A file that gets a line for each request, or for each connection below HTTP.
struct AccessLogSettings {
  bool on = false;
  std::string path{};
  plugin::Template format{};
  plugin::Template::Escape escape = nullptr;
  std::size_t buffer = 16384;  // bytes a worker
};

struct Settings {
  std::vector<ListenAddress> listen;
  std::vector<StreamListen> stream_listen;
  std::vector<StreamListen> datagram_listen;  // of UDP
  std::size_t workers = 1;
  RouterMode router = RouterMode::host_uri;
  http::ServerOptions server;
  http::HeadLimits upstream_head{
      .field_bytes_max = 32 * 1024, .head_bytes_max = 128 * 1024, .fields_max = 256};
  std::size_t connections_max =
      10620;  // of clients, a worker; 503 beyond (nginx_config.event.worker_connections)
  AccessLogSettings access_log{.on = true, .path = "logs/access.log"};         // of requests
  AccessLogSettings stream_log{.on = false, .path = "logs/access_stream.log"};  // of what is below HTTP
  bool delete_uri_tail_slash = false;
  bool match_encoded_slash = false;        // apisix.match_uri_encoded_slash
  bool health_checks = true;               // !apisix.disable_upstream_healthcheck
  bool show_upstream_status = false;       // apisix.show_upstream_status_in_response_header
  CidrSet trusted;                         // apisix.trusted_addresses
  bool has_trusted = false;
  CidrSet real_ip_from;                    // nginx_config.http.real_ip_from
  std::string real_ip_header = "X-Real-IP";
  bool real_ip_recursive = false;
  plugin::BodyLimits body_limits;
  std::vector<plugin::ApiEndpoint> public_apis;  // of the plugins that run here
  std::uint16_t https_port = 0;            // plugin_attr.redirect.https_port
  bool http2 = true;                       // apisix.enable_http2
  CertificateDefaults tls;                 // apisix.ssl, for ssls that say nothing else
  std::string fallback_server_name;        // apisix.ssl.fallback_sni: of clients that name none
  std::shared_ptr<const net::TrustStore> roots;  // that servers' certificates lead to; null: the system's
  bool upstream_verify = true;             // certificates of https upstreams, unless one says otherwise
};

}  // namespace sluice::gateway
