// SPDX-License-Identifier: Apache-2.0
#include "gateway/datagrams.h"

#include <array>

#include "base/log.h"
#include "gateway/datagram_session.h"
#include "gateway/worker.h"

namespace sluice::gateway {
namespace {

constexpr int turn_max = 64;            // datagrams of one port before others have their turn
constexpr Duration full_apart = 1s;     // lines in the log
constexpr Duration silent_least = 1s;   // before a session that was answered is closed for another

}  // namespace

Datagrams::Datagrams(Worker& worker) : worker_(worker) {}

Datagrams::~Datagrams() {
  *alive_ = false;
  clear();
}

Result<> Datagrams::listen(const StreamListen& at, int descriptor) {
  auto socket = net::DatagramSocket::bound(worker_.loop, descriptor, at.endpoint);
  if (!socket) return std::unexpected(socket.error());
  ports_.push_back(std::make_unique<Port>(*this, at.endpoint.text(), std::move(*socket)));
  ports_.back()->socket->on_readable(&Datagrams::readable, ports_.back().get());
  return {};
}

void Datagrams::readable(void* port) {
  auto& ready = *static_cast<Port*>(port);
  ready.owner.receive(ready);
}

void Datagrams::receive(Port& port) {
  thread_local std::array<char, net::DatagramSocket::bytes_max> bytes;
  net::DatagramSocket::Ends ends;
  for (int turn = 0; turn < turn_max; ++turn) {
    const ssize_t count = draining_ ? -EAGAIN : port.socket->receive(bytes, ends);
    if (count < 0) return;
    take(port, ends, {bytes.data(), static_cast<std::size_t>(count)});
  }
  if (std::exchange(port.again, true)) return;
  worker_.loop.post([this, &port, alive = alive_] {
    if (!*alive) return;
    port.again = false;
    receive(port);
  });
}

void Datagrams::take(Port& port, const net::DatagramSocket::Ends& ends, std::string_view bytes) {
  const Key key{&port, ends};
  if (const auto found = sessions_.find(key); found != sessions_.end()) return found->second->take(bytes);
  if (!make_room()) return;
  auto& session = sessions_[key];
  session = std::make_unique<DatagramSession>(*this, key, ++begun_);
  DatagramSession& started = *session;
  started.take(bytes);
  started.start();
}

// False: the datagram is dropped.
bool Datagrams::make_room() {
  if (sessions_.size() < sessions_max) return true;
  const bool waits = unanswered_.empty() && (answered_.empty() || answered_.front()->silent() < silent_least);
  ++(waits ? refused_ : closed_early_);
  tell_full();
  if (waits) return false;
  ended(*(unanswered_.empty() ? answered_ : unanswered_).front());
  return true;
}

void Datagrams::tell_full() {
  if (worker_.loop.now() - full_told_ < full_apart) return;
  full_told_ = worker_.loop.now();
  log::error(
      "UDP: {} clients at once are the most for a worker: {} silent sessions were closed for others so "
      "far, {} datagrams of new clients dropped",
      sessions_max, closed_early_, refused_);
}

void Datagrams::ended(DatagramSession& session) {
  const auto found = sessions_.find(session.key());
  if (found == sessions_.end() || found->second.get() != &session) return;
  (session.answered_ ? answered_ : unanswered_).erase(session.place_);
  worker_.loop.dispose(std::move(found->second));
  sessions_.erase(found);
  worker_.stream_ended();
}

void Datagrams::drain() {
  draining_ = true;
  for (auto& port : ports_) port->socket->stop_receiving();
  // One that ends takes itself off the list.
  std::vector<DatagramSession*> all;
  for (auto& [key, session] : sessions_) all.push_back(session.get());
  for (DatagramSession* session : all) session->drain();
}

void Datagrams::clear() {
  sessions_.clear();
  unanswered_.clear();
  answered_.clear();
  ports_.clear();
}

}  // namespace sluice::gateway
