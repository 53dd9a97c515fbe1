// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_session.h"

#include "base/log.h"
#include "gateway/stream_upstream.h"
#include "gateway/streams.h"
#include "gateway/worker.h"
#include "net/reset.h"

namespace sluice::gateway {

// What one connection holds on to, in the order in which it is let go.
struct ServingStream {
  explicit ServingStream(StreamSession& session)
      : serving(session.worker_, session.from()), upstream(serving.x, session.worker_) {
    if (const auto version = session.port_->at.proxy_protocol_to_upstream)
      upstream.send_proxy_header(*version);
  }
  ServingStream(const ServingStream&) = delete;
  ~ServingStream() {
    serving.side.received = serving.side.upstream_sent = relayed.up;
    serving.side.sent = serving.side.upstream_received = relayed.down;
    serving.side.upstream_spoke = relayed.upstream_spoke;
    upstream.finish();
  }

  StreamServing serving;
  StreamUpstream upstream;
  Relayed relayed;
};

namespace {

void tell_end(const ServingStream& s, const StreamPort& port) {
  if (s.relayed.end == Relayed::End::closed) return;
  constexpr std::string_view why[] = {"", "the client broke the connection",
                                      "the upstream broke the connection",
                                      "neither side said anything for the upstream's timeout"};
  log::info("{} to {}: {}", s.serving.x.client.text(), port.text,
            why[static_cast<std::size_t>(s.relayed.end)]);
}

}  // namespace

StreamSession::StreamSession(Streams& owner, Worker& worker, std::shared_ptr<const StreamPort> port,
                             net::Accepted accepted, std::uint64_t number)
    : owner_(owner),
      worker_(worker),
      port_(std::move(port)),
      accepted_(std::move(accepted)),
      number_(number),
      started_(worker.loop.now()) {}

StreamServing::From StreamSession::from() const {
  return {plugin::Transport::tcp, accepted_.stream.get(), accepted_.peer, accepted_.local, port_->text,
          number_, started_, proxy_header_.get()};
}

async::Task<> StreamSession::run() {
  const Instant deadline = after(worker_.loop.now(), worker_.settings().server.header_timeout);
  bool ready = true;
  if (port_->at.proxy_protocol) ready = co_await take_proxy_header(deadline);
  if (ready && port_->tls != nullptr) ready = co_await accept_tls(deadline);
  if (ready) co_await serve();
  else log_unserved();
  owner_.ended(*this);
}

// What did not get as far as a route has its line in the access log, too.
void StreamSession::log_unserved() {
  StreamServing unserved(worker_, from());
  unserved.x.response.status = 400;
}

// The client is whom the header names, from here on for everything.
async::Task<bool> StreamSession::take_proxy_header(Instant deadline) {
  auto taken = co_await net::take_proxy_header(*accepted_.stream, deadline);
  if (!taken) {
    worker_.tell_no_proxy_header(accepted_.peer, port_->text, taken.error());
    co_return false;
  }
  proxy_header_ = std::make_unique<const net::ProxyHeader>(*taken);
  if (taken->ends) accepted_.peer = taken->ends->source;
  co_return true;
}

async::Task<bool> StreamSession::accept_tls(Instant deadline) {
  auto secured = co_await net::tls_accept(port_->tls, worker_, std::move(accepted_.stream), deadline);
  if (!secured) {
    log::info("{}: {}", accepted_.peer.text(), secured.error().what);
    co_return false;
  }
  accepted_.stream = std::move(*secured);
  co_return true;
}

async::Task<> StreamSession::serve() {
  ServingStream s(*this);
  const auto ended_with = [this, &s](int status) {
    s.serving.x.response.status = status;
    net::reset_when_closed(*accepted_.stream);
  };
  auto deciding = destination_of(s.serving);
  const auto destination = co_await deciding;
  if (!destination) co_return ended_with(destination.error());
  auto connected = co_await s.upstream.connect(**destination);
  if (!connected) co_return ended_with(connected.error());
  const auto peer = std::move(*connected);
  co_await relay(*accepted_.stream, *peer, s.upstream.relay_options(), s.serving.side.take_first(), {},
                 s.relayed);
  tell_end(s, *port_);
}

}  // namespace sluice::gateway
