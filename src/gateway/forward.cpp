// SPDX-License-Identifier: Apache-2.0
#include "gateway/forward.h"

#include <algorithm>
#include <array>

#include "async/join.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "gateway/proxy_head.h"
#include "gateway/replies.h"
#include "gateway/worker.h"
#include "http/head_writer.h"
#include "upstream/health.h"

namespace sluice::gateway {
namespace {

using http::HeaderId;
using http::Method;
using upstream::Peer;

iovec piece_of(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

Error peer_error(ssize_t result, std::string_view what, bool may_retry) {
  const bool late = result == -ETIMEDOUT;
  return {late ? ErrorKind::timeout : ErrorKind::reset, Fault::peer,
          late ? std::string(what) + " timed out" : system_message(what, static_cast<int>(-result)),
          may_retry};
}

}  // namespace

void Forward::begin(const RouteTarget& target, const Destination& destination) {
  target_ = &target;
  destination_ = &destination;
  upstream_ = destination.upstream.get();
  timeouts_ = target.has_timeouts ? target.timeouts : upstream_->timeouts;
  if (upstream_->grpc) x_.upstream.scheme = upstream_->secure ? "grpcs" : "grpc";
  else if (x_.upstream.scheme.empty() || upstream_->secure)
    x_.upstream.scheme = upstream_->secure ? "https" : "http";
  begun_ = worker_.loop.now();
}

plugin::VerdictTask Forward::ask(const RouteTarget& target, const Destination& destination) {
  begin(target, destination);
  if (upstream_->below_http) {
    log::error("{} {}: upstream {} is for stream routes: its scheme is tcp, tls or udp", x_.request.method,
               x_.request.target, upstream_->id);
    return plugin::reply(502);
  }
  // A switch of protocols is HTTP/1.1's (RFC 9110 §7.8).
  const bool switches = x_.request.upgrade && target.websocket && !upstream_->grpc;
  return upstream_->http2 && !switches ? ask_http2() : ask_http1();
}

// All of it in one frame: what waits a thousand times a second is touched as little as can be.
plugin::VerdictTask Forward::ask_http1() {
  bool fresh = false;  // the same peer once more, on a connection of its own
  for (const Peer* peer = pick(); peer != nullptr;) {
    take_connection(*peer, fresh);
    Result<> outcome;
    if (connection_ == nullptr) outcome = co_await connect(*peer);
    if (outcome) outcome = co_await send_request(*peer);
    if (outcome && body_begun_) outcome = co_await read_beside_upload();
    Instant deadline = after(worker_.loop.now(), timeouts_.read);
    while (outcome && !body_begun_) {
      const auto whole = connection_->take_head(x_.response, worker_.settings().upstream_head);
      if (!whole) {
        outcome = std::unexpected(whole.error());
      } else if (!*whole) {
        const ssize_t count = co_await connection_->read_more(deadline);
        outcome = connection_->took(count);
      } else if (final_head()) {
        break;
      } else {
        outcome = co_await pass_interim();
        deadline = after(worker_.loop.now(), timeouts_.read);
      }
    }
    if (outcome) outcome = take_response();
    fresh = !outcome && reused_ && outcome.error().may_retry && may_retry(outcome.error());
    if (fresh) continue;  // the pooled connection had ended; the peer may be well
    note_attempt(*peer, outcome);
    report(*peer, outcome);
    if (outcome) co_return plugin::pass();
    if (!may_try_another(*peer, outcome.error())) co_return refusal(outcome.error());
    peer = pick();
  }
  log::error("{} {}: upstream {} has no peer to ask", x_.request.method, x_.request.target, upstream_->id);
  co_return plugin::reply(tried_count_ == 0 ? 503 : 502);
}

bool Forward::may_try_another(const Peer& peer, const Error& error) const {
  log::warn("{} {}: {}: {}", x_.request.method, x_.request.target, peer.text, error.what);
  const bool late = upstream_->retry_timeout > Duration::zero() &&
                    worker_.loop.now() - begun_ >= upstream_->retry_timeout;
  return tried_count_ <= static_cast<std::size_t>(upstream_->retries) && !late && may_retry(error);
}

const Peer* Forward::pick() {
  if (upstream_->balancer == nullptr) return nullptr;
  auto& state = worker_.balancer_state(upstream_->local_key);
  upstream::PickContext context{upstream_->type == model::Balancer::chash ? hash_key() : 0,
                                std::span(tried_, tried_count_), state, worker_.loop.now(),
                                thread_random().next()};
  const Peer* peer = upstream_->balancer->pick(context);
  if (peer == nullptr) return nullptr;
  if (tried_ == nullptr)
    tried_ = x_.arena.array<const Peer*>(static_cast<std::size_t>(upstream_->retries) + 1);
  tried_[tried_count_++] = peer;
  if (upstream_->balancer->observes() && state != nullptr) {
    upstream_->balancer->started(*peer, *state);
    in_flight_ = true;
  }
  peer_ = peer;
  x_.upstream.balancer_port = peer->endpoint.port;
  return peer;
}

std::uint32_t Forward::hash_key() const {
  if (upstream_->hash_on == model::HashOn::consumer) {
    return crc32(x_.consumer_name.empty() ? x_.remote_text : x_.consumer_name);
  }
  if (upstream_->hash_on == model::HashOn::vars_combinations) {
    std::string text;
    const auto present = destination_->hash_template.render(x_, text);
    return crc32(present == 0 ? x_.remote_text : std::string_view(text));
  }
  const auto value = destination_->hash_variable.read(x_);
  return crc32(value && !value->empty() ? *value : x_.remote_text);
}

bool Forward::may_retry(const Error& error) const {
  if (error.fault == Fault::client || error.kind == ErrorKind::limit) return false;
  if (body_begun_) return false;
  const bool nothing_sent =
      error.kind == ErrorKind::refused || (connection_ == nullptr && call_ == nullptr);
  return nothing_sent || http::idempotent(x_.request.method_id);
}

// A pooled connection to the peer, or none.
void Forward::take_connection(const Peer& peer, bool fresh) {
  attempt_started_ = worker_.loop.now();
  x_.upstream.connect_time = x_.upstream.header_time = x_.upstream.response_time = Duration(-1);
  if (connection_ != nullptr) worker_.loop.dispose(std::move(connection_));
  if (!fresh) connection_ = worker_.pool().take(pool_key(peer));
  // A request that cannot be asked twice is not risked on a connection that has ended meanwhile.
  if (connection_ != nullptr && !http::idempotent(x_.request.method_id) &&
      !connection_->stream().idle_and_whole()) {
    worker_.loop.dispose(std::move(connection_));
  }
  reused_ = connection_ != nullptr;
}

// A TLS connection was verified for one name: it serves requests for that name only.
upstream::PoolKey Forward::pool_key(const Peer& peer) const {
  if (!upstream_->secure) return peer.pool_key;
  return combine_hashes(peer.pool_key, hash64(upstream_host(x_, *upstream_, peer)));
}

// What an operator can do about a handshake that failed.
Error Forward::explained(Error error) const {
  if (error.kind != ErrorKind::tls || !upstream_->tls->verifies()) return error;
  error.what += "; upstream " + upstream_->id +
                " has its servers' certificates verified: apisix.ssl.ssl_trusted_certificate names who may "
                "sign them, tls.verify false of the upstream takes any";
  return error;
}

async::Task<Result<>> Forward::connect(const Peer& peer) {
  const Instant deadline = after(worker_.loop.now(), timeouts_.connect);
  auto stream = co_await worker_.network().connect(worker_.loop, peer.endpoint, deadline);
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  if (upstream_->secure) {
    // Names are checked and sent without the port; pass_host decides which.
    std::string name(upstream_host(x_, *upstream_, peer));
    if (const auto parts = split_host_port(name)) name = parts->host;
    auto secured = net::tls_connect(upstream_->tls, std::move(*stream), std::move(name), deadline,
                                    {worker_.tls_sessions(), pool_key(peer)});
    stream = co_await secured;
    if (!stream) co_return std::unexpected(explained(std::move(stream.error())));
  }
  connection_ = std::make_unique<http::ClientConnection>(std::move(*stream));
  co_return Result<>();
}

// Sends the head, and the body too when it is all there; else the body follows beside the wait for the
// response.
async::Task<Result<>> Forward::send_request(const Peer& peer) {
  x_.upstream.connect_time = worker_.loop.now() - attempt_started_;
  connection_->count_request();
  net::Buffer head;
  write_proxy_head(x_, *upstream_, peer, target_->websocket, head);
  std::optional<std::string_view> whole = std::string_view();
  if (x_.request.body != nullptr) whole = x_.request.body->whole();
  request_body_size_ = whole ? whole->size() : 0;
  body_begun_ = !whole;
  const std::array pieces{piece_of(head.view()), piece_of(whole.value_or(std::string_view()))};
  const std::size_t size = head.size() + pieces[1].iov_len;
  x_.upstream.bytes_sent += size;
  const ssize_t written = connection_->stream().try_write(pieces.data(), pieces[1].iov_len == 0 ? 1 : 2);
  if (written != static_cast<ssize_t>(size))
    return send_rest(std::move(head), whole.value_or(std::string_view()), written);
  begin_upload();
  return Result<>();
}

// What the socket did not take at once. A peer that answers before it has read everything may have closed its
// side: the response tells.
async::Task<Result<>> Forward::send_rest(net::Buffer head, std::string_view body, ssize_t written) {
  ssize_t result = written == -EAGAIN ? 0 : std::min<ssize_t>(written, 0);
  if (result == 0) {
    const std::array pieces{piece_of(head.view()), piece_of(body)};
    auto rest = connection_->stream().write(pieces, timeouts_.send);
    rest.advance(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    result = co_await rest;
  }
  if (result < 0 && result != -EPIPE && result != -ECONNRESET) {
    co_return std::unexpected(peer_error(result, "sending the request", reused_));
  }
  begin_upload();
  co_return Result<>();
}

// A body that is not all here follows beside the wait for the response.
void Forward::begin_upload() {
  if (!body_begun_) return;
  upload_result_ = {};
  upload_.start(upload());
}

// Passes the request's body on, piece by piece.
async::Task<> Forward::upload() {
  const bool chunked = x_.request.content_length == http::unknown_length;
  http::Body& body = *x_.request.body;
  std::array<char, 20> size_line;
  for (;;) {
    auto pulled = body.next();
    auto piece = co_await pulled;
    if (!piece) {
      upload_result_ = std::unexpected(std::move(piece.error()));
      co_return;
    }
    request_body_size_ += piece->size();
    const bool last = piece->empty() || body.ended();
    std::array<iovec, 4> pieces;
    std::size_t count = 0;
    net::Buffer end;
    if (chunked && !piece->empty()) pieces[count++] = piece_of(http::chunk_head(piece->size(), size_line));
    pieces[count++] = piece_of(*piece);
    if (chunked && !piece->empty()) pieces[count++] = piece_of("\r\n");
    if (chunked && last) {
      http::write_last_chunk(body.trailers(), end);
      pieces[count++] = piece_of(end.view());
    }
    const ssize_t written =
        co_await connection_->stream().write(std::span(pieces.data(), count), timeouts_.send);
    // A peer that takes no more of the body may still answer: the wait for the response decides.
    if (written < 0 || last) co_return;
  }
}

// Comes back only when the client's side of the upload broke.
async::Task<> Forward::upload_failed() {
  co_await upload_.join();
  if (upload_result_) co_await async::Forever();
}

async::Task<Result<>> Forward::read_beside_upload() {
  for (;;) {
    const Instant deadline = after(worker_.loop.now(), timeouts_.read);
    auto first = co_await async::first_of(
        connection_->read_head(x_.response, worker_.settings().upstream_head, deadline), upload_failed());
    if (first.index() == 1) co_return std::unexpected(upload_result_.error());
    auto read = std::move(std::get<0>(first));
    if (!read || final_head()) co_return read;
    auto passed = co_await pass_interim();
    if (!passed) co_return passed;
  }
}

bool Forward::final_head() const { return x_.response.status >= 200 || x_.response.status == 101; }

// 100 is between the gateway and its peers; other interim responses are the client's too.
async::Task<Result<>> Forward::pass_interim() {
  if (x_.response.status == 100) return Result<>();
  return client_.send_interim(x_.response);
}

Result<> Forward::take_response() {
  http::Response& response = x_.response;
  if (response.status == 101) {
    upgraded_ = x_.request.upgrade && target_->websocket;
    if (!upgraded_)
      return fail(ErrorKind::protocol, "the upstream switched protocols without being asked", Fault::peer);
  }
  x_.source = plugin::ResponseSource::upstream;
  x_.upstream.status = response.status;
  x_.upstream.header_time = worker_.loop.now() - attempt_started_;
  if (response.headers.has(HeaderId::connection)) http::remove_nominated(response.headers);
  const Method asked =
      x_.upstream.method.empty() ? x_.request.method_id : http::method_of(x_.upstream.method);
  if (!upgraded_) connection_->open_body(asked, response, x_.arena, timeouts_.read);
  if (asked == Method::head && x_.request.method_id != Method::head) response.content_length = 0;
  return {};
}

void Forward::note_attempt(const Peer& peer, const Result<>& outcome) {
  const int status = outcome ? x_.response.status : status_of(outcome.error());
  const std::string_view code = http::digits_of(status);
  auto& side = x_.upstream;
  const bool first = side.addresses.empty();
  side.addresses =
      first ? std::string_view(peer.text) : x_.arena.join(side.addresses, std::string_view(", "), peer.text);
  side.statuses = first ? code : x_.arena.join(side.statuses, std::string_view(", "), code);
  side.status = status;
  const auto colon = peer.text.rfind(':');
  side.balancer_ip = std::string_view(peer.text).substr(0, colon);
  side.authority = peer.authority;
}

void Forward::report(const Peer& peer, const Result<>& outcome) {
  const Duration latency = outcome ? worker_.loop.now() - attempt_started_ : Duration(-1);
  if (in_flight_ && !outcome) {
    auto& state = worker_.balancer_state(upstream_->local_key);
    if (state != nullptr) upstream_->balancer->finished(peer, *state, latency, worker_.loop.now());
    in_flight_ = false;
  }
  if (peer.health == nullptr) return;
  if (outcome) return peer.health->report_status(x_.response.status);
  const Error& error = outcome.error();
  if (error.fault != Fault::peer) return;
  peer.health->report(error.kind == ErrorKind::timeout ? upstream::HealthEvent::timeout
                                                       : upstream::HealthEvent::tcp_failure);
}

plugin::Verdict Forward::refusal(const Error& error) {
  const int status = status_of(error);
  upload_.reset();  // the client's stream is for others to read from now on
  if (connection_ != nullptr) worker_.loop.dispose(std::move(connection_));
  if (call_ != nullptr) call_->give_up();
  return plugin::reply(status);
}

bool Forward::has_uploaded() const {
  return !body_begun_ || (upload_.ended() && upload_result_ && x_.request.body->ended());
}

void Forward::finish() {
  if (call_ != nullptr) return finish_http2();
  if (connection_ == nullptr) return;
  x_.upstream.response_time = worker_.loop.now() - attempt_started_;
  if (connection_->body() != nullptr) x_.upstream.bytes_received = connection_->body()->bytes_read();
  const bool uploaded = has_uploaded();
  upload_.reset();
  const bool reusable = uploaded && !upgraded_ && connection_->reusable();
  if (!uploaded) client_.stop_after_this();
  if (reusable) {
    response_memory_ = connection_->take_input();
    worker_.pool().give(pool_key(*peer_), upstream_->keepalive, std::move(connection_));
  } else {
    response_memory_ = connection_->take_input();
    worker_.loop.dispose(std::move(connection_));
  }
}

void Forward::release() {
  upload_.reset();
  if (in_flight_) {
    in_flight_ = false;
    auto& state = worker_.balancer_state(upstream_->local_key);
    if (state != nullptr)
      upstream_->balancer->finished(*peer_, *state, x_.upstream.header_time, worker_.loop.now());
  }
  if (connection_ != nullptr) worker_.loop.dispose(std::move(connection_));
  if (call_ != nullptr) call_->give_up();
}

}  // namespace sluice::gateway
