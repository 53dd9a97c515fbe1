// SPDX-License-Identifier: Apache-2.0
#include "gateway/datagram_session.h"

#include <array>

#include "base/log.h"
#include "gateway/worker.h"

namespace sluice::gateway {
namespace {

// Shared by all: what is received is sent before anything else is.
std::span<char> scratch() {
  thread_local std::array<char, net::DatagramSocket::bytes_max> bytes;
  return bytes;
}

}  // namespace

DatagramSession::DatagramSession(Datagrams& owner, Datagrams::Key key, std::uint64_t number)
    : owner_(owner),
      key_(key),
      number_(number),
      place_(owner.unanswered_.insert(owner.unanswered_.end(), this)),
      last_(owner.worker_.loop.now()),
      patience_(upstream::Timeouts{}.read),
      serving_(owner.worker_, {plugin::Transport::udp, nullptr, key.ends.peer,
                               {key.ends.local, key.port->socket->endpoint().port}, key.port->text, number,
                               owner.worker_.loop.now(), nullptr}),
      choice_(serving_.x, owner.worker_) {}

void DatagramSession::touch(bool answered) {
  last_ = owner_.worker_.loop.now();
  auto& from = answered_ ? owner_.answered_ : owner_.unanswered_;
  answered_ = answered_ || answered;
  auto& to = answered_ ? owner_.answered_ : owner_.unanswered_;
  to.splice(to.end(), from, place_);
}

Duration DatagramSession::silent() const { return owner_.worker_.loop.now() - last_; }

void DatagramSession::take(std::string_view bytes) {
  touch(false);
  serving_.side.received += bytes.size();
  if (socket_ != nullptr) return send_up(bytes);
  if (waiting_.size() >= waiting_max || waiting_bytes_ + bytes.size() > waiting_bytes_max) return;
  waiting_.emplace_back(bytes);
  waiting_bytes_ += bytes.size();
}

// What the system has heard of the peer is told by whichever call comes first.
void DatagramSession::send_up(std::string_view bytes) {
  const ssize_t sent = socket_->send(bytes);
  if (sent >= 0) serving_.side.upstream_sent += bytes.size();
  else if (sent == -ECONNREFUSED) lost(sent);
}

// The client's next datagram may find another peer.
void DatagramSession::lost(ssize_t error) {
  const Error told{ErrorKind::refused, Fault::peer, system_message(peer_->text, static_cast<int>(-error)),
                   true};
  log::warn("{} to {}: {}", serving_.x.client.text(), key_.port->text, told.what);
  choice_.connected(*peer_, std::unexpected(told));
  owner_.ended(*this);
}

void DatagramSession::answers(void* self) { static_cast<DatagramSession*>(self)->pass_answers(); }

void DatagramSession::pass_answers() {
  for (;;) {
    const ssize_t count = socket_->receive(scratch());
    if (count == -EAGAIN) return;
    if (count < 0) return lost(count);
    if (!answered_) {
      choice_.connected(*peer_, Result<>());
      serving_.side.upstream_spoke = owner_.worker_.loop.now();
    }
    touch(true);
    serving_.side.upstream_received += static_cast<std::uint64_t>(count);
    const std::string_view bytes(scratch().data(), static_cast<std::size_t>(count));
    if (key_.port->socket->send(bytes, key_.ends) >= 0) serving_.side.sent += bytes.size();
  }
}

// A peer to send to: nothing tells yet whether it is there.
bool DatagramSession::reach(const Destination& destination) {
  choice_.begin(destination);
  while (const upstream::Peer* peer = choice_.pick()) {
    auto socket = net::DatagramSocket::connected(owner_.worker_.loop, peer->endpoint);
    if (socket) {
      peer_ = peer;
      socket_ = std::move(*socket);
      serving_.side.upstream_begun = owner_.worker_.loop.now();
      socket_->on_readable(&DatagramSession::answers, this);
      return true;
    }
    log::warn("{} to {}: {}", serving_.x.client.text(), key_.port->text, socket.error().what);
    choice_.connected(*peer, std::unexpected(socket.error()));
  }
  log::error("{} to {}: upstream {} has no peer to send to", serving_.x.client.text(), key_.port->text,
             destination.upstream->id);
  return false;
}

async::Task<> DatagramSession::run() {
  co_await serve();
  owner_.ended(*this);
}

async::Task<> DatagramSession::serve() {
  auto deciding = destination_of(serving_);
  const auto destination = co_await deciding;
  auto& status = serving_.x.response.status;
  if (!destination) {
    status = destination.error();
    co_return;
  }
  const upstream::Upstream& upstream = *(*destination)->upstream;
  if (upstream.secure) {
    log::error("{} to {}: upstream {} has scheme tls, which is for TCP: use udp", serving_.x.client.text(),
               key_.port->text, upstream.id);
    status = 503;
    co_return;
  }
  if (!owner_.draining_) patience_ = upstream.timeouts.read;
  if (!reach(**destination)) {
    status = 502;
    co_return;
  }
  for (const std::string& bytes : waiting_) send_up(bytes);
  waiting_.clear();
  co_await until_silent();
}

async::Task<> DatagramSession::until_silent() {
  async::Loop& loop = owner_.worker_.loop;
  while (loop.now() < after(last_, patience_)) co_await loop.sleep_until(after(last_, patience_));
}

async::Task<> DatagramSession::run_out() {
  co_await until_silent();
  owner_.ended(*this);
}

// The answers under way are waited for, for a short time.
void DatagramSession::drain() {
  patience_ = std::min(patience_, drain_patience);
  if (socket_ == nullptr) return;
  life_.start(run_out());
}

}  // namespace sluice::gateway
