// SPDX-License-Identifier: Apache-2.0
#include "gateway/session.h"

#include <charconv>

#include "base/log.h"
#include "gateway/pipeline.h"
#include "gateway/worker.h"

namespace sluice::gateway {

Session::Session(Worker& worker, net::Accepted accepted, std::uint64_t number)
    : worker_(worker),
      accepted_(std::move(accepted)),
      number_(number),
      client_text_size_(static_cast<std::uint8_t>(accepted_.peer.address.format(client_text_.data()))) {
  char* const port = port_text_.data();
  const auto end = std::to_chars(port, port + port_text_.size(), accepted_.local.port).ptr;
  port_text_size_ = static_cast<std::uint8_t>(end - port);
}

void Session::start(std::shared_ptr<const net::TlsFront> tls) { life_.start(run(std::move(tls))); }

void Session::client_event(void* self) {
  auto& session = *static_cast<Session*>(self);
  // A client that only stopped sending still waits for its answer; one that broke the connection does not.
  if (session.connection_->stream().broken()) session.worker_.ended(session);
}

async::Task<> Session::run(std::shared_ptr<const net::TlsFront> tls) {
  if (tls != nullptr) {
    const Instant deadline = after(worker_.loop.now(), worker_.settings().server.header_timeout);
    auto secured = co_await net::tls_accept(std::move(tls), worker_, std::move(accepted_.stream), deadline);
    if (!secured) {
      log::info("{}: {}", accepted_.peer.text(), secured.error().what);
      worker_.ended(*this);
      co_return;
    }
    accepted_.stream = std::move(*secured);
  }
  connection_ = std::make_unique<http::ServerConnection>(std::move(accepted_), worker_.settings().server);
  connection_->stream().on_event(&Session::client_event, this);
  if (worker_.draining()) connection_->stop_after_this();
  co_await serve_requests();
  worker_.ended(*this);
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
    const bool again = co_await serve(*this);
    if (!again) co_return;
    if (worker_.draining() && !connection_->has_input()) co_return;
  }
}

void Session::drain() {
  if (connection_ != nullptr) connection_->stop_after_this();
}

void Session::close_if_idle() {
  if (connection_ != nullptr && idle_ && !connection_->has_input()) worker_.ended(*this);
}

}  // namespace sluice::gateway
