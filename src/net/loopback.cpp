// SPDX-License-Identifier: Apache-2.0
#include "net/loopback.h"

#include <algorithm>
#include <string>

namespace sluice::net {
namespace {

// One direction of a connection.
struct Pipe {
  std::string bytes;
  std::size_t capacity;
  bool ended = false;   // the writer has said so
  bool reset = false;   // the writer has gone without saying so, or the reader has gone
};

class LoopbackStream;

// What the two ends share: each knows the other while it lives.
struct Link {
  Pipe pipes[2];
  LoopbackStream* ends[2] = {nullptr, nullptr};
};

class LoopbackStream final : public Stream {
 public:
  LoopbackStream(async::Loop& loop, std::shared_ptr<Link> link, int side)
      : Stream(loop), link_(std::move(link)), side_(side) {
    link_->ends[side_] = this;
  }
  ~LoopbackStream() {
    link_->ends[side_] = nullptr;
    if (!in().bytes.empty()) out().reset = true;  // TCP answers unread bytes with a reset
    out().ended = true;
    in().reset = true;
    wake_other();
  }

  ssize_t try_read(char* into, std::size_t size) override {
    Pipe& pipe = in();
    if (pipe.reset && side_gone() && pipe.bytes.empty()) return pipe.ended ? 0 : -ECONNRESET;
    if (pipe.bytes.empty()) return pipe.ended ? 0 : -EAGAIN;
    const std::size_t count = std::min(size, pipe.bytes.size());
    std::copy_n(pipe.bytes.data(), count, into);
    pipe.bytes.erase(0, count);
    waits_beyond_ = 0;
    wake_other();
    return static_cast<ssize_t>(count);
  }

  ssize_t try_write(const iovec* pieces, int count) override {
    Pipe& pipe = out();
    if (pipe.reset) return -EPIPE;
    std::size_t written = 0;
    for (int i = 0; i < count && pipe.bytes.size() < pipe.capacity; ++i) {
      const std::size_t part = std::min(pieces[i].iov_len, pipe.capacity - pipe.bytes.size());
      pipe.bytes.append(static_cast<const char*>(pieces[i].iov_base), part);
      written += part;
    }
    if (written == 0) return -EAGAIN;
    wake_other();
    return static_cast<ssize_t>(written);
  }

  ssize_t try_peek(char* into, std::size_t size) override {
    const Pipe& pipe = in();
    if (pipe.bytes.empty()) return pipe.ended ? 0 : pipe.reset ? -ECONNRESET : -EAGAIN;
    seen_ = std::min(size, pipe.bytes.size());
    std::copy_n(pipe.bytes.data(), seen_, into);
    return static_cast<ssize_t>(seen_);
  }
  void no_news() override { waits_beyond_ = seen_; }

  void shutdown_write() override {
    out().ended = true;
    wake_other();
  }
  bool maybe_readable() const override {
    return in().bytes.size() > waits_beyond_ || in().ended || in().reset;
  }
  bool maybe_writable() const override { return out().reset || out().bytes.size() < out().capacity; }
  bool broken() const override { return out().reset; }
  void wake_up() { wake(); }

 private:
  Pipe& in() const { return link_->pipes[side_]; }
  Pipe& out() const { return link_->pipes[1 - side_]; }
  bool side_gone() const { return link_->ends[1 - side_] == nullptr; }

  void wake_other() {
    loop().post([link = link_, other = 1 - side_] {
      if (link->ends[other] != nullptr) link->ends[other]->wake_up();
    });
  }

  std::shared_ptr<Link> link_;
  int side_;
  std::size_t seen_ = 0, waits_beyond_ = 0;  // of what was peeked at
};

}  // namespace

class Loopback::Waiting final : public Listener {
 public:
  Waiting(Loopback& network, Endpoint at) : network_(network), at_(at) {}
  ~Waiting() override { network_.places_.erase(at_); }
  Endpoint endpoint() const override { return at_; }

 private:
  Loopback& network_;
  Endpoint at_;
};

Loopback::~Loopback() = default;

Result<std::unique_ptr<Listener>> Loopback::listen(async::Loop&, Endpoint at, ListenOptions,
                                                   OnAccept on_accept) {
  if (at.port == 0) at.port = next_port_++;
  if (places_.contains(at))
    return fail(ErrorKind::system, "listen on " + at.text() + ": Address already in use");
  places_[at] = std::make_shared<Place>(Place{at, std::move(on_accept)});
  return std::make_unique<Waiting>(*this, at);
}

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> Loopback::pair(async::Loop& loop) {
  auto link = std::make_shared<Link>();
  link->pipes[0].capacity = link->pipes[1].capacity = capacity_;
  auto near = std::make_unique<LoopbackStream>(loop, link, 0);
  auto far = std::make_unique<LoopbackStream>(loop, link, 1);
  return {std::move(near), std::move(far)};
}

async::Task<Result<std::unique_ptr<Stream>>> Loopback::connect(async::Loop& loop, Endpoint to,
                                                               Instant deadline) {
  if (black_holes_.contains(to)) {
    co_await loop.sleep_until(deadline);
    co_return std::unexpected(
        Error{ErrorKind::timeout, Fault::peer, "connect to " + to.text() + " timed out", true});
  }
  auto found = places_.find(to);
  if (found == places_.end()) {
    co_return std::unexpected(
        Error{ErrorKind::refused, Fault::peer, "connect to " + to.text() + ": Connection refused", true});
  }
  auto [near, far] = pair(loop);
  const Endpoint from{IpAddress::loopback(), next_port_++};
  // The listener hears of it from the loop, never from inside the connecting frame.
  loop.post([place = found->second, stream = std::move(far), from]() mutable {
    place->on_accept({std::move(stream), from, place->at});
  });
  co_return std::move(near);
}

}  // namespace sluice::net
