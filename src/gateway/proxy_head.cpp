// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy_head.h"

#include "gateway/grpc.h"
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

std::string_view forwarded_for(const plugin::Exchange& x) {
  const bool kept = x.trusted_client || !x.forwarded_reset;
  if (!kept || !x.request.headers.has(HeaderId::x_forwarded_for)) return x.client_text;
  std::string_view all;
  for (const auto& field : x.request.headers) {
    if (field.id == HeaderId::x_forwarded_for)
      all = x.request.arena.join(all, field.value, std::string_view(", "));
  }
  return x.request.arena.join(all, x.client_text);
}

// What the client sent, less what is for the gateway alone, and who the client is.
template <class Head>
void write_fields(const plugin::Exchange& x, http::HeaderMask skip, Head& head) {
  const http::Request& request = x.request;
  head.fields(request.headers, skip);
  head.field("X-Real-IP", x.remote_text);
  head.field("X-Forwarded-For", forwarded_for(x));
  head.field("X-Forwarded-Proto",
             believed(x, HeaderId::x_forwarded_proto, request.secure ? "https" : "http"));
  head.field("X-Forwarded-Host", believed(x, HeaderId::x_forwarded_host, request.host));
  head.field("X-Forwarded-Port", believed(x, HeaderId::x_forwarded_port, x.server_port_text));
}

std::string_view method_of(const plugin::Exchange& x) {
  return x.upstream.method.empty() ? x.request.method : x.upstream.method;
}
std::string_view target_of(const plugin::Exchange& x) {
  return x.upstream.target.empty() ? x.request.target : x.upstream.target;
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
  head.text(method_of(x)).text(" ").text(target_of(x)).text(" HTTP/1.1\r\nHost: ");
  head.text(x.upstream.host).text("\r\n");
  write_fields(x, rewritten, head);
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

void add_proxy_fields(plugin::Exchange& x, const upstream::Upstream& upstream, const upstream::Peer& peer,
                      http::Http2Fields& fields) {
  http::Request& request = x.request;
  if (request.headers.has(HeaderId::connection)) http::remove_nominated(request.headers);
  x.upstream.host = upstream_host(x, upstream, peer);
  fields.field(":method", method_of(x)).field(":scheme", upstream.secure ? "https" : "http");
  fields.field(":authority", x.upstream.host.empty() ? std::string_view(peer.authority) : x.upstream.host);
  fields.field(":path", target_of(x));
  const bool typed = !upstream.grpc || is_grpc_type(request.headers.get(HeaderId::content_type));
  write_fields(x, rewritten | (typed ? 0 : http::mask(HeaderId::content_type)), fields);
  if (!typed) fields.field("content-type", "application/grpc");
  if (upstream.grpc || http::has_token(request.headers.get(HeaderId::te), "trailers"))
    fields.field("te", "trailers");
  if (request.body != nullptr && request.content_length >= 0)
    fields.field("content-length", x.arena.copy(std::to_string(request.content_length)));
}

}  // namespace sluice::gateway
