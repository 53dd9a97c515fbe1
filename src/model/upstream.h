// SPDX-License-Identifier: Apache-2.0
// An upstream as the operator writes it: the servers, how one is chosen, how they are asked and checked. Also
// nested in routes and services. Durations are seconds. Plain values, any thread.
#pragma once
#include <optional>

#include "model/common.h"

namespace sluice::model {

enum class Balancer : std::uint8_t { roundrobin, chash, least_conn, ewma };
enum class HashOn : std::uint8_t { vars, header, cookie, consumer, vars_combinations };
enum class PassHost : std::uint8_t { pass, node, rewrite };
enum class Scheme : std::uint8_t { http, https, grpc, grpcs, tcp, tls, udp, kafka };
enum class HttpVersion : std::uint8_t { http1, http2 };
enum class CheckType : std::uint8_t { http, https, tcp };
json::Names enum_names(Balancer);
json::Names enum_names(HashOn);
json::Names enum_names(PassHost);
json::Names enum_names(Scheme);
json::Names enum_names(HttpVersion);
json::Names enum_names(CheckType);

// One server. Without a port the scheme's is meant (80, 443).
struct Node {
  std::string host;  // a name or an address, IPv6 without brackets
  std::optional<std::uint16_t> port;
  std::int64_t weight = 1;  // 0: never chosen
  std::int32_t priority = 0;
  json::Value metadata;
  void describe(json::Fields& field);
  friend bool operator==(const Node&, const Node&) = default;

 private:
  void normalize();
};

// Written as {"host:port": weight} or as a list of nodes.
struct Nodes {
  std::vector<Node> list;
};

struct ActiveCheck {
  struct Healthy {
    std::int32_t interval = 1;
    std::vector<std::uint16_t> http_statuses{200, 302};
    std::uint8_t successes = 2;
    void describe(json::Fields& field);
  };
  struct Unhealthy {
    std::int32_t interval = 1;
    std::vector<std::uint16_t> http_statuses{429, 404, 500, 501, 502, 503, 504, 505};
    std::uint8_t http_failures = 5;
    std::uint8_t tcp_failures = 2;
    std::uint8_t timeouts = 3;
    void describe(json::Fields& field);
  };
  CheckType type = CheckType::http;
  json::Seconds timeout{1.0};
  std::int32_t concurrency = 10;      // probes at once
  std::string host;                   // Host header and TLS name; absent: the node's
  std::optional<std::uint16_t> port;  // absent: the node's
  std::string http_method = "GET";
  std::string http_path = "/";
  std::string http_req_body;
  bool https_verify_certificate = true;
  std::vector<std::string> req_headers;  // whole lines, "Name: value"
  Healthy healthy;
  Unhealthy unhealthy;
  void describe(json::Fields& field);
};

// A threshold of 0 switches its counter off.
struct PassiveCheck {
  struct Healthy {
    std::vector<std::uint16_t> http_statuses{200, 201, 202, 203, 204, 205, 206, 207, 208, 226,
                                             300, 301, 302, 303, 304, 305, 306, 307, 308};
    std::uint8_t successes = 5;
    void describe(json::Fields& field);
  };
  struct Unhealthy {
    std::vector<std::uint16_t> http_statuses{429, 500, 503};
    std::uint8_t tcp_failures = 2;
    std::uint8_t timeouts = 7;
    std::uint8_t http_failures = 5;
    void describe(json::Fields& field);
  };
  CheckType type = CheckType::http;
  Healthy healthy;
  Unhealthy unhealthy;
  void describe(json::Fields& field);
};

struct Checks {
  ActiveCheck active;
  std::optional<PassiveCheck> passive;
  void describe(json::Fields& field);
};

struct KeepalivePool {
  std::int32_t size = 320;           // idle connections kept, a worker
  json::Seconds idle_timeout{60.0};  // 0: closed after each request
  std::int32_t requests = 1000;      // on one connection
  void describe(json::Fields& field);
};

struct UpstreamTls {
  std::string client_cert;     // PEM
  std::string client_key;      // PEM
  Id client_cert_id;           // or both of an ssl resource of type client
  std::optional<bool> verify;  // the server's certificate
  void describe(json::Fields& field);
};

struct Upstream : Common {
  Nodes nodes;
  Balancer type = Balancer::roundrobin;
  HashOn hash_on = HashOn::vars;
  std::string key;                      // of chash
  std::optional<std::int32_t> retries;  // absent: one less than there are nodes
  json::Seconds retry_timeout;          // for all tries together; 0: no limit
  std::optional<Timeout> timeout;
  Scheme scheme = Scheme::http;
  std::optional<HttpVersion> http_version;  // with http and https; grpc is always HTTP/2
  PassHost pass_host = PassHost::pass;
  std::string upstream_host;  // with pass_host rewrite
  std::optional<Checks> checks;
  std::optional<KeepalivePool> keepalive_pool;
  std::optional<UpstreamTls> tls;
  void describe(json::Fields& field);

 private:
  void check_key(json::Fields& field) const;
};

}  // namespace sluice::model

namespace sluice::json {

template <>
struct Codec<model::Nodes> {
  static bool read(const Value& in, model::Nodes& out, Reader& reader);
  static Value write(const model::Nodes& value, Secrets secrets);
  static Value schema();
};

}  // namespace sluice::json
