// SPDX-License-Identifier: Apache-2.0
#include "gateway/session.h"

#include <charconv>

#include "base/log.h"
#include "gateway/pipeline.h"
#include "gateway/worker.h"
#include "http/http2_stream.h"
#include "net/tls_facts.h"

namespace sluice::gateway {
namespace {

bool tls_agreed_on_http2(const net::Stream& stream) {
  return stream.tls() != nullptr && stream.tls()->application_protocol() == "h2";
}

}  // namespace

Session::Session(Worker& worker, net::Accepted accepted, std::uint64_t number)
    : worker_(worker),
      accepted_(std::move(accepted)),
      number_(number) {
  set_client(accepted_.peer);
  char* const port = port_text_.data();
  const auto end = std::to_chars(port, port + port_text_.size(), accepted_.local.port).ptr;
  port_text_size_ = static_cast<std::uint8_t>(end - port);
}

void Session::start(bool proxy_protocol, std::shared_ptr<const net::TlsFront> tls) {
  life_.start(run(proxy_protocol, std::move(tls)));
}

void Session::set_client(const Endpoint& client) {
  accepted_.peer = client;
  client_text_size_ = static_cast<std::uint8_t>(client.address.format(client_text_.data()));
}

void Session::client_event(void* self) {
  auto& session = *static_cast<Session*>(self);
  // A client that only stopped sending still waits for its answer; one that broke the connection does not.
  if (session.connection_->stream().broken()) session.worker_.ended(session);
}

// The client is whom the header names, from here on for everything.
async::Task<bool> Session::take_proxy_header() {
  const Instant deadline = after(worker_.loop.now(), worker_.settings().server.header_timeout);
  auto taken = co_await net::take_proxy_header(*accepted_.stream, deadline);
  if (!taken) {
    worker_.tell_no_proxy_header(accepted_.peer, port_text(), taken.error());
    co_return false;
  }
  proxy_header_ = std::make_unique<const net::ProxyHeader>(*taken);
  if (taken->ends) set_client(taken->ends->source);
  co_return true;
}

// What comes before the first request; false when the connection ends there.
async::Task<bool> Session::open(bool proxy_protocol, std::shared_ptr<const net::TlsFront> tls) {
  if (proxy_protocol) {
    const bool taken = co_await take_proxy_header();
    if (!taken) co_return false;
  }
  if (tls == nullptr) co_return true;
  const Instant deadline = after(worker_.loop.now(), worker_.settings().server.header_timeout);
  auto secured = co_await net::tls_accept(std::move(tls), worker_, std::move(accepted_.stream), deadline);
  if (!secured) {
    log::info("{}: {}", accepted_.peer.text(), secured.error().what);
    co_return false;
  }
  accepted_.stream = std::move(*secured);
  co_return true;
}

async::Task<> Session::run(bool proxy_protocol, std::shared_ptr<const net::TlsFront> tls) {
  if (proxy_protocol || tls != nullptr) {
    const bool opened = co_await open(proxy_protocol, std::move(tls));
    if (!opened) {
      worker_.ended(*this);
      co_return;
    }
  }
  const bool http2 = worker_.settings().http2;
  if (http2 && tls_agreed_on_http2(*accepted_.stream)) {
    co_await serve_http2(std::move(accepted_), {});
    worker_.ended(*this);
    co_return;
  }
  const bool may_begin_with_http2 = http2 && !accepted_.stream->secure();
  connection_ = std::make_unique<http::ServerConnection>(std::move(accepted_), worker_.settings().server);
  connection_->stream().on_event(&Session::client_event, this);
  if (worker_.draining()) connection_->stop_after_this();
  auto begins = http::ServerConnection::Begin::http1;
  if (may_begin_with_http2) {
    ++worker_.counters.waiting;
    begins = co_await connection_->begin();
    --worker_.counters.waiting;
  }
  if (begins == http::ServerConnection::Begin::http2) co_await begin_http2();
  else if (begins == http::ServerConnection::Begin::http1) co_await serve_requests();
  worker_.ended(*this);
}

async::Task<> Session::serve_http2(net::Accepted accepted, std::string_view input) {
  accepted.stream->on_event(nullptr, nullptr);  // it is read from all the time
  http2_ = std::make_unique<http::Http2Server>(std::move(accepted), input, worker_.settings().server, *this);
  connection_.reset();
  if (worker_.draining()) http2_->drain();
  co_await http2_->run();
}

// The client has said so by its preface, which is part of what was read.
async::Task<> Session::begin_http2() {
  const std::string input(connection_->input());
  auto accepted = connection_->release();
  co_await serve_http2(std::move(accepted), input);
}

async::Task<> Session::serve(http::Http2Stream& stream) {
  co_await gateway::serve(*this, stream);
  http2_->ended(stream);
}

async::Task<> Session::serve_requests() {
  for (;;) {
    idle_ = true;
    ++worker_.counters.waiting;
    ssize_t waited = 0;
    if (!connection_->has_input()) {
      waited = co_await connection_->wait_idle();
    }
    --worker_.counters.waiting;
    if (waited < 0) co_return;
    idle_ = false;
    const bool again = co_await gateway::serve(*this, *connection_);
    if (!again) co_return;
    if (worker_.draining() && !connection_->has_input()) co_return;
  }
}

void Session::drain() {
  if (connection_ != nullptr) connection_->stop_after_this();
  if (http2_ != nullptr) http2_->drain();
}

void Session::close_if_idle() {
  if (http2_ != nullptr && http2_->idle()) return worker_.ended(*this);
  if (connection_ != nullptr && idle_ && !connection_->has_input()) worker_.ended(*this);
}

}  // namespace sluice::gateway
