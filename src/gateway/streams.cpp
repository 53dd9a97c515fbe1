// SPDX-License-Identifier: Apache-2.0
#include "gateway/streams.h"

#include "base/log.h"
#include "gateway/worker.h"

namespace sluice::gateway {
namespace {

constexpr Duration full_apart = 1s;  // lines in the log

}  // namespace

Result<> Streams::listen(const StreamListen& at, net::ListenOptions options,
                         std::shared_ptr<const net::TlsFront> tls) {
  auto port = std::make_shared<const StreamPort>(StreamPort{at, at.endpoint.text(), std::move(tls)});
  auto listener =
      worker_.network().listen(worker_.loop, at.endpoint, options, [this, port](net::Accepted accepted) {
        take(std::move(accepted), port);
      });
  if (!listener) return std::unexpected(listener.error());
  listeners_.push_back(std::move(*listener));
  return {};
}

void Streams::take(net::Accepted accepted, const std::shared_ptr<const StreamPort>& port) {
  if (!worker_.has_snapshot()) {  // the message that brings the first one is on its way
    return worker_.loop.post([this, port, stream = std::move(accepted.stream), peer = accepted.peer,
                              local = accepted.local]() mutable {
      take({std::move(stream), peer, local}, port);
    });
  }
  ++accepted_;
  if (sessions_.size() >= worker_.settings().connections_max) {
    if (worker_.loop.now() - full_told_ >= full_apart) {
      full_told_ = worker_.loop.now();
      log::error("{}: {} connections are open on this worker; more are closed "
                 "(nginx_config.event.worker_connections)",
                 port->text, sessions_.size());
    }
    return worker_.loop.dispose(std::move(accepted.stream));
  }
  auto session = std::make_unique<StreamSession>(*this, worker_, port, std::move(accepted), accepted_);
  session->place = sessions_.size();
  StreamSession& started = *session;
  sessions_.push_back(std::move(session));
  started.start();
}

void Streams::ended(StreamSession& session) {
  const std::size_t place = session.place;
  if (place >= sessions_.size() || sessions_[place].get() != &session) return;
  worker_.loop.dispose(std::move(sessions_[place]));
  if (place + 1 != sessions_.size()) {
    sessions_[place] = std::move(sessions_.back());
    sessions_[place]->place = place;
  }
  sessions_.pop_back();
  worker_.stream_ended();
}

}  // namespace sluice::gateway
