// SPDX-License-Identifier: Apache-2.0
#include "model/upstream.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/address.h"
#include "base/regex.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::model {
namespace {

void describe_statuses(std::vector<std::uint16_t>& statuses, json::Fields& field, std::string_view doc) {
  field("http_statuses", statuses, doc).min_items(1).unique().items().range(200, 599);
}

}  // namespace

json::Names enum_names(Balancer) {
  static constexpr std::string_view names[]{"roundrobin", "chash", "least_conn", "ewma"};
  return names;
}
json::Names enum_names(HashOn) {
  static constexpr std::string_view names[]{"vars", "header", "cookie", "consumer", "vars_combinations"};
  return names;
}
json::Names enum_names(PassHost) {
  static constexpr std::string_view names[]{"pass", "node", "rewrite"};
  return names;
}
json::Names enum_names(Scheme) {
  static constexpr std::string_view names[]{"http", "https", "grpc", "grpcs", "tcp", "tls", "udp", "kafka"};
  return names;
}
json::Names enum_names(HttpVersion) {
  static constexpr std::string_view names[]{"1.1", "2"};
  return names;
}
json::Names enum_names(CheckType) {
  static constexpr std::string_view names[]{"http", "https", "tcp"};
  return names;
}

void Node::describe(json::Fields& field) {
  field("host", host, "Name or address of the server.").required().pattern(host_pattern);
  field("port", port, "Its port; without it the scheme's.").at_least(1);
  field("weight", weight, "Its share of the requests; 0: none.").required().at_least(0);
  field("priority", priority, "Nodes of a lower priority are asked only when no higher one is left.");
  field("metadata", metadata, "Anything; the gateway ignores it.").must_be(json::Kind::object);
  field.open();
  if (field.reading()) normalize();
}

// "host:port" in one text is taken apart, brackets of an IPv6 address are taken off.
void Node::normalize() {
  if (auto whole = Endpoint::parse(host); whole && !port) {
    host = whole->address.text();
    port = whole->port;
  }
  if (auto colon = host.find(':'); colon != host.npos && colon == host.rfind(':') && !port) {
    auto number = parse_unsigned(std::string_view(host).substr(colon + 1));
    if (number && *number >= 1 && *number <= 65535) {
      port = static_cast<std::uint16_t>(*number);
      host.resize(colon);
    }
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
}

void ActiveCheck::Healthy::describe(json::Fields& field) {
  field("interval", interval, "Seconds between two probes of a healthy node.").at_least(1);
  describe_statuses(http_statuses, field, "Statuses that count as success.");
  field("successes", successes, "Successes that make a node healthy.").range(1, 254);
  field.open();
}

void ActiveCheck::Unhealthy::describe(json::Fields& field) {
  field("interval", interval, "Seconds between two probes of an unhealthy node.").at_least(1);
  describe_statuses(http_statuses, field, "Statuses that count as failure.");
  field("http_failures", http_failures, "Failing statuses that make a node unhealthy.").range(1, 254);
  field("tcp_failures", tcp_failures, "Failed connections that make a node unhealthy.").range(1, 254);
  field("timeouts", timeouts, "Probes without an answer that make a node unhealthy.").range(1, 254);
  field.open();
}

void ActiveCheck::describe(json::Fields& field) {
  field("type", type, "How a node is probed.");
  field("timeout", timeout, "Seconds a probe may take.").more_than(0);
  field("concurrency", concurrency, "Probes at once.").at_least(1);
  field("host", host, "Host header and TLS name of a probe; without it the node's.").pattern(host_pattern);
  field("port", port, "Port to probe; without it the node's.").at_least(1);
  field("http_method", http_method, "Method of a probe.")
      .one_of({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"});
  field("http_path", http_path, "Path of a probe.");
  field("http_req_body", http_req_body, "Body of a probe.");
  field("https_verify_certificate", https_verify_certificate, "Whether a node's certificate must be valid.");
  field("req_headers", req_headers, "Header lines of a probe, \"Name: value\".").min_items(1);
  field("healthy", healthy, "What makes a node healthy.");
  field("unhealthy", unhealthy, "What makes a node unhealthy.");
  field.open();
  for (const auto& line : req_headers) {
    field.check(line.find_first_of(std::string_view("\r\n\0", 3)) == line.npos, "req_headers",
                "a header line contains a line break");
  }
  field.check(http_path.find_first_of(std::string_view(" \r\n\0", 4)) == http_path.npos, "http_path",
              "contains a blank or a line break");
}

void PassiveCheck::Healthy::describe(json::Fields& field) {
  describe_statuses(http_statuses, field, "Statuses that count as success.");
  field("successes", successes, "Successes that make a node healthy; 0: never.").range(0, 254);
  field.open();
}

void PassiveCheck::Unhealthy::describe(json::Fields& field) {
  describe_statuses(http_statuses, field, "Statuses that count as failure.");
  field("tcp_failures", tcp_failures, "Failed connections that make a node unhealthy; 0: never.")
      .range(0, 254);
  field("timeouts", timeouts, "Timeouts that make a node unhealthy; 0: never.").range(0, 254);
  field("http_failures", http_failures, "Failing statuses that make a node unhealthy; 0: never.")
      .range(0, 254);
  field.open();
}

void PassiveCheck::describe(json::Fields& field) {
  field("type", type, "What is observed.");
  field("healthy", healthy, "What makes a node healthy.");
  field("unhealthy", unhealthy, "What makes a node unhealthy.");
  field.open();
}

void Checks::describe(json::Fields& field) {
  field("active", active, "Probes that the gateway sends.");
  field("passive", passive, "What the requests of clients tell.");
  field.open();
  field.check(!field.reading() || field.has("active"), "active",
              "is required: passive checks cannot bring a node back",
              R"(object matches none of the required: ["active"] or ["active","passive"])");
}

void KeepalivePool::describe(json::Fields& field) {
  field("size", size, "Idle connections kept by each worker.").at_least(1);
  field("idle_timeout", idle_timeout, "Seconds an idle connection is kept.").at_least(0);
  field("requests", requests, "Requests on one connection.").at_least(1);
  field.open();
}

void UpstreamTls::describe(json::Fields& field) {
  field("client_cert", client_cert, "Certificate the gateway shows, PEM.").length(128, 65536);
  field("client_key", client_key, "Its private key, PEM.").length(64, 65536).secret();
  field("verify", verify, "Whether the server's certificate must be valid.");
  field.needs("client_cert", {"client_key"});
  field.needs("client_key", {"client_cert"});
  field("client_cert_id", client_cert_id, "An ssl of type client, instead of the two.").references("ssls");
  const bool both = field.has("client_cert_id") && field.has("client_cert") && field.has("client_key");
  field.check(
      !both, "client_cert_id", "may not be given together with client_cert and client_key",
      R"(failed to validate dependent schema for "client_cert_id": value wasn't supposed to match schema)");
  field.open();
}

void Upstream::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_name(*this, field);
  describe_rest(*this, field);
  field("nodes", nodes,
        "The servers: {\"host:port\": weight}, or a list of {host, port, weight, priority}. Weight 0: asked "
        "only while no server with a weight is well, and never with chash.");
  field("type", type, "How a server is chosen.");
  field("hash_on", hash_on, "With type chash: where the key is found.");
  field("key", key, "With type chash: what requests with the same value of go to the same server.");
  field("retries", retries, "Further servers asked when one fails; without it as many as there are.")
      .at_least(0);
  field("retry_timeout", retry_timeout, "Seconds for all tries together; 0: no limit.").at_least(0);
  field("timeout", timeout, "Seconds for each step.");
  field("scheme", scheme, "How the servers are spoken to.");
  field("http_version", http_version,
        "With scheme http or https: the version of HTTP that is spoken to the servers. 2 asks them many "
        "requests "
        "at once over few connections; with http they have to speak it without an upgrade. An extension.");
  field("pass_host", pass_host, "Which Host header the servers get.");
  field("upstream_host", upstream_host, "With pass_host rewrite: that Host header.").pattern(host_pattern);
  field("checks", checks, "Health checks.");
  field("keepalive_pool", keepalive_pool, "The pool of idle connections.");
  field("tls", tls, "The gateway's side of TLS.");
  constexpr auto discovery = "service discovery is not in this version: list the servers in nodes";
  field.refused("service_name", discovery);
  field.refused("discovery_type", discovery);
  field.refused("discovery_args", discovery);
  if (!field.reading()) return;
  field.check(field.has("nodes") || field.has("service_name"), "nodes", "is required",
              "value should match only one schema, but matches none");
  const bool plain_http = scheme == Scheme::http || scheme == Scheme::https;
  const bool below_http = scheme == Scheme::tcp || scheme == Scheme::tls || scheme == Scheme::udp;
  const bool ports = std::ranges::all_of(nodes.list, [](const Node& node) { return node.port.has_value(); });
  field.check(!http_version || plain_http, "http_version", "is for the schemes http and https");
  field.check(!below_http || ports, "nodes", "need a port each, for this scheme has none of its own");
  field.check(scheme != Scheme::kafka, "scheme",
              "kafka is not spoken by this version: use http, https, grpc, grpcs, tcp, tls or udp");
  field.check_plainly(pass_host != PassHost::rewrite || !upstream_host.empty(), "upstream_host",
                      "is required when pass_host is rewrite",
                      "`upstream_host` can't be empty when `pass_host` is `rewrite`");
  if (type == Balancer::chash) check_key(field);
}

void Upstream::check_key(json::Fields& field) const {
  if (hash_on == HashOn::consumer) return;
  if (!field.has("key")) {
    field.check_plainly(false, "key", "is required when type is chash", "missing key");
    return;
  }
  if (hash_on == HashOn::vars_combinations || field.failed()) return;
  static const Regex variable = *Regex::compile(
      "^((uri|server_name|server_addr|request_uri|remote_port|remote_addr|query_string|host|hostname|mqtt_"
      "client_id)"
      "|arg_[0-9a-zA-z_-]+)$");
  static const Regex header = *Regex::compile("^[a-zA-Z0-9-_]+$");
  const Regex& wanted = hash_on == HashOn::vars ? variable : header;
  auto shown = json::dump(key).substr(0, 80);
  field.check_plainly(wanted.match(key) == Regex::Outcome::match, "key",
                      fmt::format("{} does not match the pattern {}", shown, wanted.pattern()),
                      fmt::format("invalid configuration: failed to match pattern \"{}\" with \"{}\"",
                                  wanted.pattern(), key));
}

}  // namespace sluice::model

namespace sluice::json {
namespace {

// "host", "host:port", "[::1]:port".
bool read_address(std::string_view text, model::Node& node, Reader& reader) {
  auto host = text;
  std::string_view port;
  if (auto bracket = text.rfind(']'); text.starts_with('[') && bracket != text.npos) {
    host = text.substr(1, bracket - 1);
    port = text.substr(bracket + 1);
  } else if (auto colon = text.rfind(':'); colon != text.npos && text.find(':') == colon) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  node.host = host;
  if (host.empty()) return reader.fail_plainly(text, "names no host", "invalid host " + std::string(text));
  if (port.empty()) return true;
  auto number = parse_unsigned(port.substr(1));
  if (port[0] != ':' || !number || *number < 1 || *number > 65535) {
    return reader.fail_plainly(text, fmt::format("{} is no port: 1 to 65535", port.substr(1)),
                               fmt::format("invalid port {}", port.substr(1)));
  }
  node.port = static_cast<std::uint16_t>(*number);
  return true;
}

// In a list IPv6 addresses stand in brackets, as APISIX wants them.
bool check_brackets(const Array& nodes, Reader& reader) {
  bool good = true;
  std::size_t index = 0;
  for (const auto& node : nodes) {
    Reader::Step step(reader, index++);
    auto host = node.text("host");
    auto address = IpAddress::parse(host);
    if (!address || !address->is_v6() || host.starts_with('[')) continue;
    good = reader.fail_plainly("host", fmt::format("write the IPv6 address as [{}]", host),
                               "invalid configuration: IPv6 address must be enclosed with '[' and ']'");
  }
  return good;
}

}  // namespace

bool Codec<model::Nodes>::read(const Value& in, model::Nodes& out, Reader& reader) {
  constexpr auto apisix = "object matches none of the required";
  out.list.clear();
  Findings found;
  Reader inner(found, reader.path());
  if (in.is_array()) {
    json::read(in, out.list, inner);
    return reader.adopt(std::move(found), apisix) && check_brackets(in.as_array(), reader);
  }
  if (!in.is_object()) {
    return reader.fail(fmt::format("must be an object or an array, not {}", name_of(in.kind())), apisix);
  }
  bool good = true;
  for (const auto& [address, weight] : in.as_object()) {
    auto& node = out.list.emplace_back();
    good &= read_address(address, node, reader);
    Reader::Step step(inner, address);
    if (!json::read(weight, node.weight, inner) || node.weight >= 0) continue;
    inner.fail(fmt::format("must be at least 0, not {}", node.weight));
  }
  return reader.adopt(std::move(found), apisix) && good;
}

Value Codec<model::Nodes>::write(const model::Nodes& value, Secrets secrets) {
  return json::write(value.list, secrets);
}

Value Codec<model::Nodes>::schema() {
  auto weight = type_schema("integer");
  weight.set("minimum", 0);
  auto map = type_schema("object");
  map.set("additionalProperties", std::move(weight));
  return Value::object({{"anyOf", Value::array({std::move(map), json::schema<std::vector<model::Node>>()})}});
}

}  // namespace sluice::json
