// SPDX-License-Identifier: Apache-2.0
#include "http/http2_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "http/head_writer.h"
#include "http/http2_fields.h"

namespace sluice::http {

// http2_connection.cpp
ssize_t read_http2_output(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                          std::uint32_t* flags, nghttp2_data_source* source, void* user);

namespace {

const nghttp2_nv* list_of(const Http2Fields& fields) {
  return reinterpret_cast<const nghttp2_nv*>(fields.data());
}

constexpr std::size_t websocket_key_size = 16;  // bytes (RFC 6455 §4.1)

bool fits_a_line(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

}  // namespace

Http2Stream::Http2Stream(Http2Server& connection, std::int32_t id)
    : Http2Flow(connection, id), server_(connection) {
  input_patience_ = connection.options().body_timeout;
}

// ---- the request ----

void Http2Stream::add_field(std::string_view name, std::string_view value) {
  const HeadLimits& limits = server_.options().head;
  const std::size_t size = method_.size() + target_.size() + authority_.size() + cookies_.size() +
                           fields_.size() + name.size() + value.size();
  if (too_large_ || size > limits.head_bytes_max || ++fields_count_ > limits.fields_max + 4) {
    too_large_ = true;
    return;
  }
  if (name == ":method") method_ = value;
  else if (name == ":path") target_ = value;
  else if (name == ":authority") authority_ = value;
  else if (name == ":protocol") protocol_ = value;
  else if (name == "host" && authority_.empty()) authority_ = value;
  else if (name == "cookie") cookies_.append(cookies_.empty() ? "" : "; ").append(value);  // RFC 9113 §8.2.3
  else if (!name.starts_with(':') && name != "host")
    fields_.append(name).append(": ").append(value).append("\r\n");
}

void Http2Stream::write_head(net::Buffer& out) const {
  HeadWriter head(out, method_.size() + target_.size() + authority_.size() + fields_.size() + 64);
  // What asks for a tunnel is what asks HTTP/1.1 for a switch of protocols (RFC 8441 §5).
  head.text(protocol_.empty() ? method_ : "GET").text(" ").text(target_).text(" HTTP/1.1\r\n");
  head.field("host", authority_).text(fields_);
  if (!protocol_.empty()) {
    char bytes[websocket_key_size];
    fill_with_secret_bytes(bytes, sizeof bytes);
    std::string key;
    base64_encode({bytes, sizeof bytes}, key);
    head.text("connection: upgrade\r\n").field("upgrade", protocol_).field("sec-websocket-key", key);
  }
  if (!cookies_.empty()) head.field("cookie", cookies_);
  head.end();
}

bool Http2Stream::refuse_pseudo_fields() {
  refusal_ = {};
  if (too_large_) refusal_ = {Parsed::refused, 0, 431, "a head that is too large"};
  else if (!fits_a_line(method_) || !fits_a_line(target_) || !fits_a_line(authority_))
    refusal_ = {Parsed::refused, 0, 400, "a pseudo-header field with spaces or controls"};
  else if (!protocol_.empty() && protocol_ != "websocket")
    refusal_ = {Parsed::refused, 0, 501, "a tunnel of another protocol than websocket"};
  return refusal_.outcome == Parsed::refused;
}

async::Task<ServerSide::Head> Http2Stream::read_head(Request& request) {
  const ServerOptions& options = server_.options();
  if (refuse_pseudo_fields()) return Head::refused;
  write_head(head_);
  const Parsed parsed = parse_request(head_.view(), options.head, request);
  request.major_version = 2;
  request.secure = tls() != nullptr;
  if (parsed.outcome != Parsed::whole) {
    refusal_ = parsed;
    if (parsed.outcome == Parsed::incomplete)
      refusal_ = {Parsed::refused, 0, 400, "a head that makes no sense"};
    return Head::refused;
  }
  if (!protocol_.empty()) return Head::ready;  // what follows is the tunnel's
  length_known_ = request.headers.has(HeaderId::content_length);
  if (!length_known_ && input_ended_ && !has_trailers()) {
    request.content_length = static_cast<std::int64_t>(waiting_bytes());
    length_known_ = true;
  } else if (!length_known_) {
    request.content_length = unknown_length;
  }
  if (options.body_bytes_max > 0 && request.content_length > options.body_bytes_max) {
    refusal_ = {Parsed::refused, 0, 413, "a body that is too large"};
    return Head::refused;
  }
  wants_continue_ = request.expects_continue;
  arena_ = &request.arena;
  if (request.content_length != 0) request.body = this;
  return Head::ready;
}

std::optional<std::string_view> Http2Stream::whole() const {
  if (!length_known_) return std::nullopt;
  return Http2Flow::whole();
}

Result<> Http2Stream::admit(std::uint64_t bytes) const {
  const auto most = server_.options().body_bytes_max;
  if (most > 0 && bytes > static_cast<std::uint64_t>(most))
    return fail(ErrorKind::limit, "a body of more than " + std::to_string(most) + " bytes", Fault::client);
  return {};
}

void Http2Stream::before_wait() {
  if (!std::exchange(wants_continue_, false) || response_begun_) return;
  std::uint8_t name[] = ":status", value[] = "100";
  const nghttp2_nv status{name, value, 7, 3, NGHTTP2_NV_FLAG_NONE};
  nghttp2_submit_headers(server_.session(), NGHTTP2_FLAG_NONE, id_, nullptr, &status, 1, nullptr);
  server_.flush_soon();
}

Error Http2Stream::broken_input(ssize_t told) const {
  if (told == 0) return gone();
  return {ErrorKind::timeout, Fault::client, "no byte of the body came in time", false};
}

// ---- the response ----

Result<> Http2Stream::submit(const Request& request, const Response& response, bool with_body) {
  Http2Fields fields(request.arena, response.headers.size() + 5);
  fields.field(":status", digits_of(response.status == 101 ? 200 : response.status));
  const Header* server = response.headers.find(HeaderId::server);
  const bool own_server = server == nullptr || server->raw;  // an upstream's name is not ours to show
  fields.fields(response.headers, not_in_http2 | (own_server ? mask(HeaderId::server) : 0));
  const std::string& name = server_.options().server_header;
  if (own_server && !name.empty()) fields.field("server", name);
  if (!response.headers.has(HeaderId::date)) fields.field("date", http_date(server_.loop()));
  if (response.content_length >= 0 && response.status != 204)
    fields.field("content-length", request.arena.copy(std::to_string(response.content_length)));
  nghttp2_data_provider body{};
  body.read_callback = read_http2_output;
  response_begun_ = true;
  const int done = nghttp2_submit_response(server_.session(), id_, list_of(fields), fields.size(),
                                           with_body ? &body : nullptr);
  if (done != 0 || closed_) return std::unexpected(gone());
  return {};
}

Error Http2Stream::gone() const {
  return {ErrorKind::reset, Fault::client, "the client has given the stream up", false};
}

async::Task<Result<>> Http2Stream::send(const Request& request, Response& response, Sent& sent) {
  const bool may_have_body =
      request.method_id != Method::head && response.status != 204 && response.status != 304;
  if (response.status == 101) {
    response.headers.remove("Sec-WebSocket-Accept");
    auto begun = submit(request, response, true);
    server_.flush_soon();
    sent.head_sent = true;
    return begun;
  }
  std::string_view content =
      may_have_body && response.body == nullptr ? response.content : std::string_view();
  bool streams = response.body != nullptr && may_have_body;
  const bool measured = may_have_body || !response.content.empty();
  if (response.body == nullptr && measured && response.content_length == unknown_length)
    response.content_length = static_cast<std::int64_t>(response.content.size());
  if (const auto whole = streams ? response.body->whole() : std::nullopt) {
    content = *whole;
    static_cast<void>(response.body->next());  // it is taken
    streams = false;
  }
  auto submitted = submit(request, response, streams || !content.empty());
  if (!submitted) return submitted;
  server_.flush_soon();
  sent.head_sent = true;
  if (streams) return send_body(response, sent);
  if (content.empty()) {
    out_done_ = true;
    return Result<>();
  }
  return send_piece(content, true, nullptr, sent);
}

async::Task<Result<>> Http2Stream::send_body(Response& response, Sent& sent) {
  for (bool more = true; more;) {
    auto pulled = response.body->next();
    auto piece = co_await pulled;
    if (!piece) co_return std::unexpected(std::move(piece.error()));  // the stream is reset
    more = !piece->empty() && !response.body->ended();
    auto handed = co_await send_piece(*piece, !more, more ? nullptr : response.body->trailers(), sent);
    if (!handed) co_return handed;
  }
  co_return Result<>();
}

async::Task<Result<>> Http2Stream::send_piece(std::string_view piece, bool last, const Headers* trailers,
                                              Sent& sent) {
  const ssize_t handed = co_await hand_out(piece, last, trailers, server_.options().send_timeout);
  if (handed == -ETIMEDOUT)
    co_return fail(ErrorKind::timeout, "the client took nothing of the response in time", Fault::client);
  if (handed < 0) co_return std::unexpected(gone());
  sent.bytes += piece.size();
  sent.body_bytes += piece.size();
  co_return Result<>();
}

async::Task<Result<>> Http2Stream::send_interim(const Response& response) {
  Http2Fields fields(response.headers.arena(), response.headers.size() + 1);
  fields.field(":status", digits_of(response.status)).fields(response.headers, not_in_http2);
  nghttp2_submit_headers(server_.session(), NGHTTP2_FLAG_NONE, id_, nullptr, list_of(fields), fields.size(),
                         nullptr);
  server_.flush_soon();
  return Result<>();
}

}  // namespace sluice::http
