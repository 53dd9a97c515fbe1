// SPDX-License-Identifier: Apache-2.0
#include "upstream/build.h"

#include <algorithm>

#include "base/hash.h"
#include "upstream/health_checker.h"

namespace sluice::upstream {
namespace {

constexpr std::int64_t weight_max = 1'000'000'000'000;  // sums of many stay within 64 bits

bool is_secure(model::Scheme scheme) {
  return scheme == model::Scheme::https || scheme == model::Scheme::grpcs || scheme == model::Scheme::tls;
}
bool is_below_http(model::Scheme scheme) {
  return scheme == model::Scheme::tcp || scheme == model::Scheme::tls || scheme == model::Scheme::udp;
}
bool is_grpc(model::Scheme scheme) {
  return scheme == model::Scheme::grpc || scheme == model::Scheme::grpcs;
}

std::uint16_t port_of(const model::Node& node, const model::Upstream& written) {
  if (node.port) return *node.port;
  return is_secure(written.scheme) ? 443 : 80;
}

std::string authority_of(const model::Node& node, std::uint16_t port, bool secure) {
  std::string text = node.host.find(':') != std::string::npos ? "[" + node.host + "]" : node.host;
  if (port != (secure ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

void add_peers(const model::Node& node, const model::Upstream& written, const Lookup& lookup,
               Upstream& made) {
  std::vector<IpAddress> addresses;
  if (const auto literal = IpAddress::parse(node.host)) {
    addresses.push_back(*literal);
  } else if (const auto* known = lookup(node.host); known != nullptr) {
    addresses = *known;
  }
  for (const IpAddress& address : addresses) {
    Peer peer;
    peer.endpoint = {address, port_of(node, written)};
    peer.host = node.host;
    peer.authority = authority_of(node, peer.endpoint.port, made.secure);
    peer.text = peer.endpoint.text();
    peer.weight = std::min(node.weight, weight_max);
    peer.priority = node.priority;
    made.peers.push_back(std::move(peer));
  }
}

// Connections are shared by what reaches the same server in the same way, whichever upstream names it.
PoolKey pool_key(const Peer& peer, const Upstream& upstream, const model::Upstream& written) {
  std::uint64_t key = combine_hashes(peer.endpoint.hash(), upstream.secure ? 1 : 0);
  if (!upstream.secure) return key;
  key = combine_hashes(key, hash64(written.tls ? written.tls->client_cert : std::string()));
  return combine_hashes(key, upstream.tls->verifies() ? 1 : 0);
}

Result<> set_tls(const model::Upstream& written, const BuildOptions& options, Upstream& made) {
  if (!made.secure) return {};
  net::TlsContext::Client client;
  client.verify = options.verify;
  client.roots = options.roots;
  if (written.tls) {
    client.verify = written.tls->verify.value_or(options.verify);
    client.certificate = written.tls->client_cert;
    client.key = written.tls->client_key;
  }
  auto context = net::TlsContext::client(client);
  if (!context) return std::unexpected(context.error());
  made.tls = std::move(*context);
  if (!made.http2) return {};
  client.http2 = true;
  context = net::TlsContext::client(client);
  if (!context) return std::unexpected(context.error());
  made.tls_http2 = std::move(*context);
  return {};
}

}  // namespace

std::vector<std::string> names_of(const model::Upstream& written) {
  std::vector<std::string> names;
  for (const auto& node : written.nodes.list) {
    if (!IpAddress::parse(node.host)) names.push_back(node.host);
  }
  return names;
}

Result<std::shared_ptr<const Upstream>> build(const model::Upstream& written, std::string id,
                                              std::uint64_t local_key, const Lookup& lookup,
                                              const BuildOptions& options) {
  auto made = std::make_shared<Upstream>();
  made->id = std::move(id);
  made->name = written.name;
  made->local_key = local_key;
  made->type = written.type;
  made->hash_on = written.hash_on;
  made->hash_key = written.key;
  made->secure = is_secure(written.scheme);
  made->grpc = is_grpc(written.scheme);
  made->below_http = is_below_http(written.scheme);
  made->http2 = made->grpc || written.http_version == model::HttpVersion::http2;
  made->pass_host = written.pass_host;
  made->upstream_host = written.upstream_host;
  made->retry_timeout = written.retry_timeout;
  made->has_timeouts = written.timeout.has_value();
  if (written.timeout)
    made->timeouts = {written.timeout->connect, written.timeout->send, written.timeout->read};
  if (written.keepalive_pool) {
    made->keepalive.size = static_cast<std::uint32_t>(written.keepalive_pool->size);
    made->keepalive.idle_timeout = written.keepalive_pool->idle_timeout;
    made->keepalive.requests = static_cast<std::uint32_t>(written.keepalive_pool->requests);
  }
  if (auto set = set_tls(written, options, *made); !set) return std::unexpected(set.error());
  for (const auto& node : written.nodes.list) add_peers(node, written, lookup, *made);
  for (Peer& peer : made->peers) peer.pool_key = pool_key(peer, *made, written);
  made->retries =
      written.retries ? *written.retries : std::max<int>(0, static_cast<int>(made->peers.size()) - 1);
  if (written.checks && options.health != nullptr) {
    const auto rules = std::make_shared<const HealthRules>(*written.checks);
    for (Peer& peer : made->peers) {
      peer.health = std::make_shared<PeerHealth>(
          options.health->state(options.checker, peer.endpoint, peer.host), rules);
    }
  }
  if (!made->peers.empty()) made->balancer = make_balancer(written.type, made->peers);
  return std::shared_ptr<const Upstream>(std::move(made));
}

std::vector<HealthTarget> health_targets(const Upstream& built) {
  std::vector<HealthTarget> targets;
  for (const Peer& peer : built.peers) {
    if (peer.health != nullptr) targets.push_back({peer.endpoint, peer.host, peer.health});
  }
  return targets;
}

}  // namespace sluice::upstream
