// SPDX-License-Identifier: Apache-2.0
// Asking a peer over HTTP/2: for grpc and grpcs, and for upstreams with http_version 2.
#include "base/hash.h"
#include "base/log.h"
#include "gateway/forward.h"
#include "gateway/grpc.h"
#include "gateway/proxy_head.h"
#include "gateway/replies.h"
#include "gateway/worker.h"
#include "upstream/health.h"

namespace sluice::gateway {

using upstream::Peer;

// As Forward::ask_http1. A request that its server has not looked at (REFUSED_STREAM, or above the last
// stream of a GOAWAY) may be asked again whatever it is, as long as its body is still here.
plugin::VerdictTask Forward::ask_http2() {
  constexpr int again_max = 2;  // the same peer, which had left the connection meanwhile
  int again = 0;
  for (const Peer* peer = pick(); peer != nullptr;) {
    attempt_started_ = worker_.loop.now();
    x_.upstream.connect_time = x_.upstream.header_time = x_.upstream.response_time = Duration(-1);
    if (call_ != nullptr) call_->give_up();
    call_ = nullptr;
    Result<> outcome;
    http::Http2Client* connection = worker_.http2_pool().ready(pool_key(*peer));
    if (connection == nullptr) {
      auto made = co_await connect_http2(*peer);
      if (made) connection = *made;
      else outcome = std::unexpected(explained(std::move(made.error())));
    }
    reused_ = connection != nullptr && connection->requests() > 0;
    if (outcome) outcome = send_http2(*peer, *connection);
    Instant deadline = after(worker_.loop.now(), timeouts_.read);
    while (outcome && !(call_->has_head() && final_head())) {
      if (call_->has_head()) {  // an interim one
        call_->take_interim();
        outcome = co_await pass_interim();
        deadline = after(worker_.loop.now(), timeouts_.read);
        continue;
      }
      ssize_t told = 0;
      if (!call_->failed()) {
        told = co_await call_->wait_for_head(std::min(deadline, deadline_));
      }
      outcome = look_at_call(told);
    }
    if (outcome) outcome = take_http2_response();
    const bool once_more =
        !outcome && reused_ && outcome.error().may_retry && may_retry(outcome.error()) && again++ < again_max;
    if (once_more) continue;
    note_attempt(*peer, outcome);
    report(*peer, outcome);
    if (outcome) co_return plugin::pass();
    if (!may_try_another(*peer, outcome.error()) || deadline_ <= worker_.loop.now())
      co_return refusal(outcome.error());
    again = 0;
    peer = pick();
  }
  log::error("{} {}: upstream {} has no peer to ask", x_.request.method, x_.request.target, upstream_->id);
  co_return plugin::reply(tried_count_ == 0 ? 503 : 502);
}

async::Task<Result<http::Http2Client*>> Forward::connect_http2(const Peer& peer) {
  upstream::Http2Way way;
  way.key = pool_key(peer);
  way.endpoint = peer.endpoint;
  way.connect_timeout = timeouts_.connect;
  const upstream::KeepAlive& kept = upstream_->keepalive;
  way.options = {worker_.settings().upstream_head, kept.size > 0 ? kept.idle_timeout : Duration::zero(),
                 timeouts_.send, kept.requests};
  if (upstream_->secure) {
    way.tls = upstream_->tls_http2;
    way.name = upstream_host(x_, *upstream_, peer);
    if (const auto parts = split_host_port(way.name)) way.name = parts->host;
    constexpr std::uint64_t for_http2 = 2;  // what was agreed on in another session is not to be resumed here
    way.resumption = {worker_.tls_sessions(), combine_hashes(way.key, for_http2)};
  }
  return worker_.http2_pool().take(std::move(way));
}

Result<> Forward::send_http2(const Peer& peer, http::Http2Client& connection) {
  x_.upstream.connect_time = worker_.loop.now() - attempt_started_;
  deadline_ = upstream_->grpc ? grpc_deadline(x_) : never;
  http::Http2Fields fields(x_.arena, x_.request.headers.size() + proxy_fields_max);
  add_proxy_fields(x_, *upstream_, peer, fields);
  std::optional<std::string_view> whole = std::string_view();
  if (x_.request.body != nullptr) whole = x_.request.body->whole();
  request_body_size_ = whole ? whole->size() : 0;
  using Content = http::Http2Call::Content;
  const Content kind = !whole ? Content::streamed : whole->empty() ? Content::none : Content::whole;
  call_ = x_.arena.make<http::Http2Call>(connection, x_.response, x_.arena, timeouts_.read);
  call_->set_deadline(deadline_);
  auto begun = call_->begin(fields, kind, whole.value_or(std::string_view()));
  if (!begun) return begun;
  x_.upstream.bytes_sent += x_.request.head_size + request_body_size_;
  if (whole) return {};
  body_begun_ = true;
  upload_result_ = {};
  upload_.start(upload_http2());
  return {};
}

// Passes the request's body on, piece by piece, also while the response is on its way.
async::Task<> Forward::upload_http2() {
  http::Body& body = *x_.request.body;
  for (;;) {
    auto pulled = body.next();
    auto piece = co_await pulled;
    if (!piece) {
      upload_result_ = std::unexpected(std::move(piece.error()));
      call_->abort("the client's body broke off: " + upload_result_.error().what);
      co_return;
    }
    request_body_size_ += piece->size();
    const bool last = piece->empty() || body.ended();
    const ssize_t handed =
        co_await call_->hand_out(*piece, last, last ? body.trailers() : nullptr, timeouts_.send);
    // A peer that takes no more of the body may still answer: the wait for the response decides.
    if (handed < 0 || last) co_return;
  }
}

// What became of a wait for the head.
Result<> Forward::look_at_call(ssize_t told) const {
  if (!upload_result_) return std::unexpected(upload_result_.error());
  if (call_->has_head()) return {};
  if (call_->failed()) return std::unexpected(call_->failure());
  if (told != -ETIMEDOUT) return {};
  call_->gave_up_waiting();
  const bool due = deadline_ <= worker_.loop.now();
  return fail(ErrorKind::timeout, due ? "the call's deadline has passed" : "no response came in time",
              Fault::peer);
}

Result<> Forward::take_http2_response() {
  http::Response& response = x_.response;
  x_.source = plugin::ResponseSource::upstream;
  x_.upstream.status = response.status;
  x_.upstream.header_time = worker_.loop.now() - attempt_started_;
  const auto asked = x_.upstream.method.empty() ? x_.request.method_id : http::method_of(x_.upstream.method);
  call_->open_body(asked);
  if (asked == http::Method::head && x_.request.method_id != http::Method::head) response.content_length = 0;
  if (upstream_->grpc && response.body != nullptr && is_grpc_type(response.headers.get("content-type")))
    response.body = x_.arena.make<GrpcBody>(*response.body, x_.arena, worker_.loop, deadline_);
  return {};
}

void Forward::finish_http2() {
  x_.upstream.response_time = worker_.loop.now() - attempt_started_;
  x_.upstream.bytes_received = call_->body_bytes();
  const bool uploaded = has_uploaded();
  upload_.reset();
  if (!uploaded) client_.stop_after_this();
  call_->give_up();
}

}  // namespace sluice::gateway
