// SPDX-License-Identifier: Apache-2.0
#include "main/listen.h"

#include <algorithm>

#include "base/text.h"
#include "main/pem_file.h"
#include "main/unserved.h"

namespace sluice::main {
namespace {

// A list of ports and of {ip, port}, below one key.
class Places {
 public:
  Places(Section& section, std::string_view key, bool ipv6, bool tls, Config& config)
      : section_(section), key_(key), ipv6_(ipv6), tls_(tls), config_(config) {}

  void read(std::int64_t default_port) {
    default_port_ = default_port;
    const auto* listen = section_.raw(key_);
    if (listen == nullptr) return everywhere(default_port);
    if (!listen->is_array()) return add(*listen);
    for (const auto& item : listen->as_array()) add(item);
  }

 private:
  void add(const json::Value& item) {
    if (item.is_integer()) return everywhere(item.as_int());
    const auto* port = item.find("port");
    if (!item.is_object() || (port != nullptr && !port->is_integer()))
      return section_.problem(key_, "must be a port, or a list of ports or of {ip, port}");
    if (!config_.gateway.http2)
      warn_of(item, "enable_http2",
              "asks for enable_http2, which apisix.enable_http2 switches off for every port");
    warn_of(item, "enable_http3", "asks for enable_http3: this version does not speak it to clients");
    const std::int64_t number = port == nullptr ? default_port_ : port->as_int();
    const std::string_view ip = item.text("ip");
    if (ip.empty()) return everywhere(number);
    if (const auto address = IpAddress::parse(ip)) listen(*address, number);
    else section_.problem(key_, "'" + std::string(ip) + "' is no IP address");
  }

  void warn_of(const json::Value& item, std::string_view flag, std::string what) {
    const auto* value = item.find(flag);
    if (value != nullptr && value->is_bool() && value->as_bool()) section_.warn(key_, std::move(what));
  }

  void listen(IpAddress address, std::int64_t port) {
    if (port < 0 || port > 65535) return section_.problem(key_, "has a port that is none of 0 to 65535");
    config_.gateway.listen.push_back({{address, static_cast<std::uint16_t>(port)}, tls_});
  }

  void everywhere(std::int64_t port) {
    listen(IpAddress::v4(0), port);
    if (ipv6_) listen(IpAddress::v6(0, 0), port);
  }

  Section& section_;
  std::string_view key_;
  bool ipv6_, tls_;
  Config& config_;
  std::int64_t default_port_ = 0;
};

// "TLSv1.2 TLSv1.3", as nginx lists them.
std::vector<std::string> protocols_of(Section& ssl) {
  std::string written;
  ssl.text("ssl_protocols", written);
  std::vector<std::string> protocols;
  for (std::string_view name : Split(written, ' ')) {
    if (!name.empty()) protocols.emplace_back(name);
  }
  constexpr std::string_view known[] = {"TLSv1.1", "TLSv1.2", "TLSv1.3"};
  for (const auto& name : protocols) {
    if (std::ranges::find(known, name) == std::end(known))
      ssl.problem("ssl_protocols", "'" + name + "' is none of TLSv1.1, TLSv1.2, TLSv1.3");
  }
  return protocols;
}

}  // namespace

void read_node_listen(Section& apisix, bool ipv6, Config& config) {
  Places(apisix, "node_listen", ipv6, false, config).read(9080);
}

// listen_http_port and listen_https_port are for proxies alone: what does not begin with a header is hung up
// on.
void read_proxy_protocol(Section section, bool ipv6, Config& config) {
  const auto listen = [&](std::string_view key, bool tls) {
    if (!section.has(key)) return;
    const std::size_t first = config.gateway.listen.size();
    Places(section, key, ipv6, tls, config).read(0);
    for (std::size_t i = first; i < config.gateway.listen.size(); ++i) {
      auto& own = config.gateway.listen[i];
      own.proxy_protocol = true;
      const auto before = config.gateway.listen.begin() + static_cast<std::ptrdiff_t>(i);
      const bool taken = own.endpoint.port != 0 &&
                         std::find_if(config.gateway.listen.begin(), before, [&own](const auto& other) {
                           return other.endpoint == own.endpoint;
                         }) != before;
      if (taken)
        section.problem(key, own.endpoint.text() + " is also a port of node_listen, ssl/listen or of this "
                                                   "section; proxies need a port of their own");
    }
  };
  listen("listen_http_port", false);
  listen("listen_https_port", true);
  section.flag("enable_tcp_pp", config.stream_proxy_protocol);
  section.flag("enable_tcp_pp_to_upstream", config.stream_proxy_protocol_to_upstream);
}

void read_ssl(Section ssl, bool ipv6, Config& config) {
  bool enable = true;
  ssl.flag("enable", enable);
  config.gateway.tls.protocols = protocols_of(ssl);
  config.gateway.tls.ciphers =
      "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
      "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
      "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384";
  ssl.text("ssl_ciphers", config.gateway.tls.ciphers);
  ssl.flag("ssl_session_tickets", config.tls_tickets);
  ssl.text("fallback_sni", config.gateway.fallback_server_name);
  config.gateway.fallback_server_name = lowered(config.gateway.fallback_server_name);
  ssl.text("ssl_trusted_certificate", config.trusted_certificate);
  if (enable) Places(ssl, "listen", ipv6, true, config).read(9443);
  else ssl.raw("listen");
}

Result<std::shared_ptr<const net::TlsFront>> tls_front(const Config& config) {
  const bool wanted = std::ranges::any_of(config.gateway.listen, &gateway::ListenAddress::tls) ||
                      std::ranges::any_of(config.gateway.stream_listen, &gateway::StreamListen::tls);
  if (!wanted) return nullptr;
  auto made = net::TlsFront::make({.protocols = config.gateway.tls.protocols,
                                   .ciphers = config.gateway.tls.ciphers,
                                   .tickets = config.tls_tickets});
  if (!made) made.error().what.insert(0, "/apisix/ssl: ");
  return made;
}

Result<std::shared_ptr<const net::TrustStore>> trusted_roots(const Config& config,
                                                             const std::string& prefix) {
  if (config.trusted_certificate == "system") return nullptr;
  auto pem = read_pem_file(config.trusted_certificate, prefix, "/apisix/ssl/ssl_trusted_certificate");
  if (!pem) return std::unexpected(pem.error());
  return net::TrustStore::of(*pem);
}

}  // namespace sluice::main
