// SPDX-License-Identifier: Apache-2.0
#include "http/server_connection.h"

#include <algorithm>
#include <ctime>

#include "http/head_writer.h"

namespace sluice::http {
namespace {

constexpr HeaderMask written_here = hop_by_hop | mask(HeaderId::content_length);

iovec piece_of(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

ServerConnection::ServerConnection(net::Accepted accepted, const ServerOptions& options)
    : stream_(std::move(accepted.stream)), peer_(accepted.peer), local_(accepted.local), options_(options) {}

Parsed ServerConnection::try_parse(Request& request) {
  // A head that came in many pieces is parsed again when it has ended, or has doubled.
  if (parsed_size_ > 0 && in_.size() < 2 * parsed_size_ &&
      in_.view().find("\r\n\r\n") == std::string_view::npos) {
    return {};
  }
  parsed_size_ = in_.size();
  return parse_request(in_.view(), options_.head, request);
}

async::Task<ServerConnection::Begin> ServerConnection::begin() {
  const Instant deadline = after(stream_->loop().now(), options_.header_timeout);
  for (;;) {
    const ssize_t waited = co_await stream_->readable(deadline);
    if (waited < 0) co_return Begin::nothing;
    in_.need();
    const ssize_t count = stream_->try_read(in_.tail(), in_.room());
    if (count == -EAGAIN) continue;
    if (count <= 0) co_return Begin::nothing;
    in_.filled(static_cast<std::size_t>(count));
    if (in_.view().starts_with(http2_preface)) co_return Begin::http2;
    if (!http2_preface.starts_with(in_.view())) co_return Begin::http1;
  }
}

async::Task<ServerConnection::Head> ServerConnection::read_head(Request& request) {
  body_ = nullptr;
  parsed_size_ = 0;
  in_.need();
  in_.compact();
  if (in_.empty() && stream_->maybe_readable()) {
    const ssize_t count = stream_->try_read(in_.tail(), in_.room());
    if (count > 0) in_.filled(static_cast<std::size_t>(count));
    else if (count != -EAGAIN) return Head::closed;
  }
  if (!in_.empty()) {
    if (const auto head = take_head(request)) return *head;
  }
  return wait_head(request);
}

// The head, when all of it is there, or what is wrong with it.
std::optional<ServerConnection::Head> ServerConnection::take_head(Request& request) {
  const Parsed parsed = try_parse(request);
  if (parsed.outcome == Parsed::incomplete) return std::nullopt;
  if (parsed.outcome == Parsed::refused) {
    refusal_ = parsed;
    return Head::refused;
  }
  if (request.upgrade) {  // it outlives the buffer, see take_input
    const std::string_view own = request.arena.copy(in_.view().substr(0, parsed.size));
    SLUICE_CHECK(parse_request(own, options_.head, request).outcome == Parsed::whole);
  }
  in_.skip(parsed.size);
  ++requests_;
  make_body(request);
  if (options_.body_bytes_max > 0 && request.content_length > options_.body_bytes_max) {
    refusal_ = {Parsed::refused, 0, 413, "a body that is too large"};
    return Head::refused;
  }
  return Head::ready;
}

async::Task<ServerConnection::Head> ServerConnection::wait_head(Request& request) {
  const Instant deadline = after(stream_->loop().now(), options_.header_timeout);
  for (;;) {
    if (in_.room() == 0) in_.grow(options_.head.head_bytes_max + 1024);
    const bool nothing_yet = in_.empty();
    const ssize_t count = co_await stream_->read(in_.tail(), in_.room(), deadline);
    if (count == -ETIMEDOUT && !nothing_yet) {
      refusal_ = {Parsed::refused, 0, 408, "the head did not come in time"};
      co_return Head::refused;
    }
    if (count <= 0) co_return Head::closed;
    in_.filled(static_cast<std::size_t>(count));
    if (const auto head = take_head(request)) co_return *head;
  }
}

void ServerConnection::make_body(Request& request) {
  request.secure = stream_->secure();
  if (request.content_length == 0) return;
  BodyOptions body;
  body.framing = request.content_length == unknown_length ? BodyFraming::chunked : BodyFraming::length;
  body.length = std::max<std::int64_t>(request.content_length, 0);
  body.size_max = options_.body_bytes_max;
  body.patience = options_.body_timeout;
  body.send_continue = request.expects_continue;
  body_ = request.arena.make<StreamBody>(*stream_, in_, request.arena, body);
  request.body = body_;
}

bool ServerConnection::may_have_body(const Request& request, const Response& response) const {
  return request.method_id != Method::head && response.status != 204 && response.status != 304;
}

void ServerConnection::write_head(const Request& request, const Response& response, net::Buffer& out) const {
  HeadWriter head(out);
  head.text("HTTP/1.1 ").text(digits_of(response.status)).text(" ");
  head.text(response.reason.empty() ? reason_of(response.status) : response.reason).text("\r\n");
  HeaderMask skip = written_here;
  if (response.status == 101) skip &= ~mask(HeaderId::upgrade);
  const Header* server = response.headers.find(HeaderId::server);
  const bool own_server = server == nullptr || server->raw;  // an upstream's name is not ours to show
  if (own_server) skip |= mask(HeaderId::server);
  head.fields(response.headers, skip);
  if (own_server && !options_.server_header.empty()) head.field("Server", options_.server_header);
  if (!response.headers.has(HeaderId::date)) head.field("Date", http_date(stream_->loop()));
  if (response.status == 101) {
    head.text("Connection: upgrade\r\n\r\n");
    return;
  }
  if (response.content_length >= 0 && response.status != 204) {
    head.text("Content-Length: ").number(static_cast<std::uint64_t>(response.content_length)).text("\r\n");
  } else if (response.status != 204 && response.status != 304 && request.minor_version > 0) {
    head.text("Transfer-Encoding: chunked\r\n");
  }
  head.text(close_after_ ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
}

async::Task<Result<>> ServerConnection::write(std::span<const iovec> pieces, Sent& sent) {
  std::size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  const ssize_t written = stream_->try_write(pieces.data(), static_cast<int>(pieces.size()));
  if (written != static_cast<ssize_t>(size)) return write_rest(pieces, written, size, sent);
  sent.bytes += size;
  sent.head_sent = true;
  return Result<>();
}

async::Task<Result<>> ServerConnection::write_rest(std::span<const iovec> pieces, ssize_t written,
                                                   std::size_t size, Sent& sent) {
  ssize_t result = written == -EAGAIN ? 0 : std::min<ssize_t>(written, 0);
  if (result == 0) {
    auto rest = stream_->write(pieces, options_.send_timeout);
    rest.advance(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    result = co_await rest;
  }
  if (result == 0) {
    sent.bytes += size;
    sent.head_sent = true;
    co_return Result<>();
  }
  close_after_ = true;
  if (result == -ETIMEDOUT)
    co_return fail(ErrorKind::timeout, "the client took nothing of the response in time", Fault::client);
  co_return fail(ErrorKind::reset, system_message("send to the client", static_cast<int>(-result)),
                 Fault::client);
}

async::Task<Result<>> ServerConnection::send(const Request& request, Response& response, Sent& sent) {
  if (!request.keep_alive || requests_ >= options_.requests_max) close_after_ = true;
  if (body_ != nullptr) {
    body_->forgo_continue();
    if (!body_->ended() && !body_->wholly_buffered()) close_after_ = true;
  }
  const bool has_body = may_have_body(request, response);
  std::string_view content = has_body && response.body == nullptr ? response.content : std::string_view();
  bool streams = response.body != nullptr && has_body;
  // A response to HEAD may not know how long its body would be.
  const bool measured = has_body || !response.content.empty();
  if (response.body == nullptr && response.status >= 200 && measured &&
      response.content_length == unknown_length) {
    response.content_length = static_cast<std::int64_t>(response.content.size());
  }
  const bool chunked = streams && response.content_length == unknown_length && request.minor_version > 0;
  if (streams && response.content_length == unknown_length && !chunked) close_after_ = true;
  if (const auto whole = streams && !chunked ? response.body->whole() : std::nullopt) {
    content = *whole;
    static_cast<void>(response.body->next());  // it is taken
    streams = false;
  }
  net::Buffer head;
  write_head(request, response, head);
  if (streams) return stream_body(response, std::move(head), chunked, sent);
  sent.body_bytes += content.size();
  const std::array pieces{piece_of(head.view()), piece_of(content)};
  const std::size_t size = head.size() + content.size();
  const ssize_t written = stream_->try_write(pieces.data(), content.empty() ? 1 : 2);
  if (written != static_cast<ssize_t>(size)) return send_rest(std::move(head), content, written, sent);
  sent.bytes += size;
  sent.head_sent = true;
  return Result<>();
}

async::Task<Result<>> ServerConnection::send_rest(net::Buffer head, std::string_view content, ssize_t written,
                                                  Sent& sent) {
  const std::array pieces{piece_of(head.view()), piece_of(content)};
  auto rest = co_await write_rest(pieces, written, head.size() + content.size(), sent);
  co_return rest;
}

async::Task<Result<>> ServerConnection::stream_body(Response& response, net::Buffer head, bool chunked,
                                                    Sent& sent) {
  std::array<char, 20> size_line;
  net::Buffer last;  // "0\r\n", trailers, "\r\n"
  for (bool more = true; more;) {
    auto pulled = response.body->next();
    if (!pulled.await_ready() && !head.empty()) {  // the head does not wait for a slow body
      const std::array pieces{piece_of(head.view())};
      auto written = co_await write(pieces, sent);
      if (!written) co_return written;
      head.release();
    }
    auto piece = co_await pulled;
    if (!piece) {
      close_after_ = true;
      if (!head.empty()) {
        const std::array pieces{piece_of(head.view())};
        auto written = co_await write(pieces, sent);
        if (!written) co_return written;
      }
      co_return std::unexpected(std::move(piece.error()));
    }
    more = !piece->empty() && !response.body->ended();
    sent.body_bytes += piece->size();
    std::array<iovec, 5> pieces;
    std::size_t count = 0;
    pieces[count++] = piece_of(head.view());
    if (chunked && !piece->empty()) pieces[count++] = piece_of(chunk_head(piece->size(), size_line));
    pieces[count++] = piece_of(*piece);
    if (chunked && !piece->empty()) pieces[count++] = piece_of("\r\n");
    if (chunked && !more) {
      write_last_chunk(response.body->trailers(), last);
      pieces[count++] = piece_of(last.view());
    }
    auto written = co_await write(std::span(pieces.data(), count), sent);
    if (!written) co_return written;
    head.release();
  }
  co_return Result<>();
}

async::Task<Result<>> ServerConnection::send_interim(const Response& response) {
  net::Buffer out;
  HeadWriter head(out);
  head.text("HTTP/1.1 ").text(digits_of(response.status)).text(" ");
  head.text(response.reason).text("\r\n").fields(response.headers, written_here).end();
  Sent ignored;
  const std::array pieces{piece_of(out.view())};
  auto written = co_await write(pieces, ignored);
  co_return written;
}

bool ServerConnection::finish(const Request&) {
  if (body_ != nullptr && !close_after_) {
    while (!body_->ended()) {  // wholly buffered: read over it
      auto skipped = body_->next();
      if (!skipped.await_ready()) break;
      if (!skipped.await_resume()) break;
    }
    if (!body_->ended()) close_after_ = true;
    net::Buffer excess = body_->take_excess();
    if (!excess.empty()) in_ = std::move(excess);
  }
  body_ = nullptr;
  if (in_.empty()) in_.release();
  return !close_after_;
}

// A client that is still sending when it has its answer (413) would lose it by a reset: what it sends is read
// over, as nginx does, for a while.
async::Task<> ServerConnection::close() {
  constexpr Duration linger = std::chrono::seconds(30), silence_max = std::chrono::seconds(5);
  constexpr std::size_t turn_bytes = 256 << 10;  // then others have theirs, however fast this one sends
  stream_->shutdown_write();
  const Instant end = after(stream_->loop().now(), linger);
  in_.release();
  in_.need();
  std::size_t turn = 0;
  for (Instant now = stream_->loop().now(); now < end; now = stream_->loop().now()) {
    const Instant deadline = std::min(end, after(now, silence_max));
    const ssize_t count = co_await stream_->read(in_.data(), in_.capacity(), deadline);
    if (count <= 0) break;
    turn += static_cast<std::size_t>(count);
    if (turn < turn_bytes) continue;
    turn = 0;
    co_await stream_->loop().sleep(1ms);
  }
  in_.release();
}

std::string format_http_date(std::int64_t unix_seconds) {
  std::tm parts{};
  const std::time_t seconds = unix_seconds;
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

std::string_view http_date(async::Loop& loop) {
  thread_local std::int64_t made_for = -1;
  thread_local std::string text;
  const std::int64_t now = loop.wall() / 1'000'000'000;
  if (now != made_for) {
    made_for = now;
    text = format_http_date(now);
  }
  return text;
}

}  // namespace sluice::http
