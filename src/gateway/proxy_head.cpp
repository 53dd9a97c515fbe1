// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy_head.h"

#include "http/head_writer.h"

namespace sluice::gateway {
namespace {

using http::HeaderId;

constexpr http::HeaderMask rewritten =
    http::hop_by_hop | http::mask(HeaderId::host, HeaderId::content_length, HeaderId::expect,
                                  HeaderId::x_real_ip, HeaderId::x_forwarded_for, HeaderId::x_forwarded_proto,
                                  HeaderId::x_forwarded_host, HeaderId::x_forwarded_port);

// What the client says of itself counts only when it is trusted, or when a plugin wrote it.
std::string_view believed(const plugin::Exchange& x, HeaderId id, std::string_view otherwise) {
  const auto* field = x.request.headers.find(id);
  return field != nullptr && (x.trusted_client || !field->raw) ? field->value : otherwise;
}

void write_forwarded_for(const plugin::Exchange& x, bool keep, http::HeadWriter& head) {
  head.text("X-Forwarded-For: ");
  if (keep && x.request.headers.has(HeaderId::x_forwarded_for)) {
    for (const auto& field : x.request.headers) {
      if (field.id == HeaderId::x_forwarded_for) head.text(field.value).text(", ");
    }
  }
  head.text(x.client_text).text("\r\n");
}

}  // namespace

std::string_view upstream_host(const plugin::Exchange& x, const upstream::Upstream& upstream,
                               const upstream::Peer& peer) {
  if (!x.upstream.host.empty()) return x.upstream.host;  // a plugin has decided
  switch (upstream.pass_host) {
    case model::PassHost::node: return peer.authority;
    case model::PassHost::rewrite: return upstream.upstream_host;
    case model::PassHost::pass: break;
  }
  const auto* host = x.request.headers.find(HeaderId::host);
  return host != nullptr && !host->raw ? host->value : x.request.authority;
}

void write_proxy_head(plugin::Exchange& x, const upstream::Upstream& upstream, const upstream::Peer& peer,
                      bool websocket, net::Buffer& out) {
  http::Request& request = x.request;
  if (request.headers.has(HeaderId::connection)) http::remove_nominated(request.headers);
  http::HeadWriter head(out, request.head_size + 512);
  x.upstream.host = upstream_host(x, upstream, peer);
  head.text(x.upstream.method.empty() ? request.method : x.upstream.method).text(" ");
  head.text(x.upstream.target.empty() ? request.target : x.upstream.target).text(" HTTP/1.1\r\nHost: ");
  head.text(x.upstream.host).text("\r\n");
  head.fields(request.headers, rewritten);
  head.field("X-Real-IP", x.remote_text);
  write_forwarded_for(x, x.trusted_client || !x.forwarded_reset, head);
  head.field("X-Forwarded-Proto",
             believed(x, HeaderId::x_forwarded_proto, request.secure ? "https" : "http"));
  head.field("X-Forwarded-Host", believed(x, HeaderId::x_forwarded_host, request.host));
  head.field("X-Forwarded-Port", believed(x, HeaderId::x_forwarded_port, x.server_port_text));
  if (request.body != nullptr && request.content_length == http::unknown_length) {
    head.text("Transfer-Encoding: chunked\r\n");
  } else if (request.body != nullptr || request.headers.has(HeaderId::content_length)) {
    head.text("Content-Length: ").number(static_cast<std::uint64_t>(request.content_length)).text("\r\n");
  }
  if (websocket && request.upgrade) {
    head.field("Upgrade", request.headers.get(HeaderId::upgrade)).text("Connection: upgrade\r\n");
  }
  head.end();
}

}  // namespace sluice::gateway
