// SPDX-License-Identifier: Apache-2.0
#include "main/stream_proxy.h"

#include <algorithm>

#include "base/text.h"
#include "json/text.h"

namespace sluice::main {
namespace {

constexpr std::size_t ports_max = 4096;  // of one list, ranges spelled out; each is a socket for each worker

struct Range {
  std::int64_t first = 0, last = 0;
};

// "9100" or "9100-9110".
std::optional<Range> range_of(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_unsigned(text.substr(0, dash));
  const auto last = dash == text.npos ? first : parse_unsigned(text.substr(dash + 1));
  if (!first || !last || *first < 1 || *last > 65535 || *first > *last) return std::nullopt;
  return Range{static_cast<std::int64_t>(*first), static_cast<std::int64_t>(*last)};
}

// true and 1: version 1, as APISIX sends it; 2: version 2; false: none.
bool is_proxy_version(const json::Value& written) {
  return written.is_bool() || (written.is_integer() && (written.as_int() == 1 || written.as_int() == 2));
}
std::optional<net::ProxyVersion> proxy_version_of(const json::Value& written) {
  if (written.is_integer()) return static_cast<net::ProxyVersion>(written.as_int());
  return written.as_bool() ? std::optional(net::ProxyVersion::text) : std::nullopt;
}

// One list of ports: 9100, "9100-9110", "10.0.0.1:9100", "[::1]:9100-9110", or {addr, tls, …}.
class Ports {
 public:
  // `usual` is what a port is that says nothing of its own.
  Ports(Section& section, std::string_view key, bool ipv6, gateway::StreamListen usual,
        std::vector<gateway::StreamListen>& into)
      : section_(section), key_(key), ipv6_(ipv6), usual_(usual), into_(into) {}

  void read() {
    const auto* list = section_.raw(key_);
    if (list == nullptr || list->is_null()) return;
    if (!list->is_array()) return section_.problem(key_, "must be a list of ports");
    for (const auto& item : list->as_array()) read(item);
    if (into_.size() > ports_max)
      section_.problem(key_, "asks for " + std::to_string(into_.size()) + " ports; " +
                                 std::to_string(ports_max) + " is the most");
  }

 private:
  void read(const json::Value& item) {
    gateway::StreamListen at = usual_;
    if (!item.is_object()) return read_address(item, at);
    const auto* address = item.find("addr");
    if (address == nullptr) return wrong(item);
    for (const auto& [name, value] : item.as_object()) {
      if (name == "addr") continue;
      bool* const flag = name == "tls" ? &at.tls : name == "proxy_protocol" ? &at.proxy_protocol : nullptr;
      if (flag != nullptr && value.is_bool()) *flag = value.as_bool();
      else if (name == "proxy_protocol_to_upstream" && is_proxy_version(value))
        at.proxy_protocol_to_upstream = proxy_version_of(value);
      else section_.problem(key_, "has '" + name + "', which is not known here, or not with this value");
    }
    read_address(*address, at);
  }

  void read_address(const json::Value& written, gateway::StreamListen at) {
    std::string text;
    if (written.is_integer()) text = std::to_string(written.as_int());
    else if (written.is_string()) text = written.as_string();
    const std::size_t colon = text.rfind(':');
    const auto range = range_of(std::string_view(text).substr(colon == text.npos ? 0 : colon + 1));
    if (!range) return wrong(written);
    if (colon == text.npos) {
      add(IpAddress::v4(0), *range, at);
      if (ipv6_) add(IpAddress::v6(0, 0), *range, at);
    } else if (const auto address = IpAddress::parse(text.substr(0, colon))) {
      add(*address, *range, at);
    } else {
      wrong(written);
    }
  }

  void add(IpAddress address, Range range, gateway::StreamListen at) {
    for (std::int64_t port = range.first; port <= range.last; ++port) {
      at.endpoint = {address, static_cast<std::uint16_t>(port)};
      const bool twice =
          std::ranges::find(into_, at.endpoint, &gateway::StreamListen::endpoint) != into_.end();
      if (twice) return section_.problem(key_, "names " + at.endpoint.text() + " twice");
      into_.push_back(at);
    }
  }

  void wrong(const json::Value& item) {
    section_.problem(key_,
                     json::dump(item) +
                         " is no port; write 9100, \"9100-9110\", \"10.0.0.1:9100\" or {addr: 9100, tls: "
                         "true}");
  }

  Section& section_;
  std::string_view key_;
  bool ipv6_;
  gateway::StreamListen usual_;
  std::vector<gateway::StreamListen>& into_;
};

}  // namespace

void read_stream_proxy(Section& apisix, bool ipv6, Config& config) {
  std::string mode = "http";
  apisix.text("proxy_mode", mode);
  if (mode != "http" && mode != "stream" && mode != "http&stream")
    apisix.problem("proxy_mode", "'" + mode + "' is none of http, stream, http&stream");
  config.stream_routes = mode != "http";
  const bool written = apisix.has("stream_proxy");
  Section proxy = apisix.section("stream_proxy");
  const gateway::StreamListen usual{.proxy_protocol = config.stream_proxy_protocol,
                                    .proxy_protocol_to_upstream = proxy_version_of(
                                        config.stream_proxy_protocol_to_upstream)};
  Ports(proxy, "tcp", ipv6, usual, config.gateway.stream_listen).read();
  Ports(proxy, "udp", ipv6, {}, config.gateway.datagram_listen).read();
  const bool tcp_only = std::ranges::any_of(config.gateway.datagram_listen, [](const auto& at) {
    return at.tls || at.proxy_protocol || at.proxy_protocol_to_upstream;
  });
  if (tcp_only) proxy.problem("udp", "has a port with tls or the PROXY protocol, which are spoken over TCP");
  if (mode == "http") {
    config.gateway.stream_listen.clear();
    config.gateway.datagram_listen.clear();
    if (written)
      apisix.warn("stream_proxy", "has no effect while proxy_mode is http: write proxy_mode: http&stream");
    return;
  }
  if (mode == "stream") config.gateway.listen.clear();
}

}  // namespace sluice::main
