// SPDX-License-Identifier: Apache-2.0
#include "gateway/relay.h"

#include "async/join.h"

namespace sluice::gateway {
namespace {

// After so many bytes without a pause others are served.
constexpr std::size_t turn_bytes_max = 4 * 1024 * 1024;
constexpr Duration turn_pause = Duration(1);

// When either side last said something; one direction may be silent while the other is not.
struct Activity {
  Instant last;
  RelayOptions options;
};

// One direction. Whatever is under way stands in the object, so that its frame may be destroyed and begun
// anew where it waits.
class Direction {
 public:
  Direction(net::Stream& from, net::Stream& to, Activity& activity, net::Buffer first, std::uint64_t& total,
            Instant& spoke)
      : from_(from),
        to_(to),
        activity_(activity),
        buffer_(std::move(first)),
        total_(total),
        spoke_(spoke) {}

  enum class Outcome : std::uint8_t { under_way, ended, reading_broke, writing_broke, idle };
  Outcome outcome() const { return outcome_; }
  bool failed() const { return outcome_ > Outcome::ended; }
  async::Task<> run();

 private:
  ssize_t read_some();
  ssize_t write_some();
  bool wrote_all();
  async::Loop& loop() { return from_.loop(); }

  net::Stream& from_;
  net::Stream& to_;
  Activity& activity_;
  net::Buffer buffer_;
  std::uint64_t& total_;
  Instant& spoke_;
  std::size_t turn_ = 0;
  ssize_t write_error_ = 0;
  bool bulk_ = false;  // there is more than a small buffer takes
  Outcome outcome_ = Outcome::under_way;
};

// Only into what is empty.
ssize_t Direction::read_some() {
  if (bulk_ && buffer_.capacity() < net::transfer_size) buffer_.release();
  buffer_.need(bulk_ ? net::transfer_size : net::Buffer::standard_size);
  const auto room = static_cast<ssize_t>(buffer_.room());
  const ssize_t count = from_.try_read(buffer_.tail(), buffer_.room());
  if (count > 0) {
    buffer_.filled(static_cast<std::size_t>(count));
    bulk_ = count == room || (bulk_ && count > static_cast<ssize_t>(net::Buffer::standard_size));
  }
  return count;
}

ssize_t Direction::write_some() {
  const iovec piece{buffer_.data(), buffer_.size()};
  const ssize_t count = to_.try_write(&piece, 1);
  if (count > 0) buffer_.consume(static_cast<std::size_t>(count));
  return count;
}

// Passes on what is held; false when the other side takes no more now, or has broken.
bool Direction::wrote_all() {
  while (!buffer_.empty()) {
    const ssize_t count = write_some();
    if (count <= 0) {
      write_error_ = count;
      return false;
    }
    total_ += static_cast<std::uint64_t>(count);
    turn_ += static_cast<std::size_t>(count);
  }
  return true;
}

async::Task<> Direction::run() {
  for (;;) {
    while (!wrote_all()) {
      ssize_t ready = write_error_;
      if (ready == -EAGAIN) ready = co_await to_.writable(after(loop().now(), activity_.options.send));
      if (ready >= 0) continue;
      outcome_ = ready == -ETIMEDOUT ? Outcome::idle : Outcome::writing_broke;
      co_return;
    }
    if (turn_ >= turn_bytes_max) {
      turn_ = 0;
      co_await loop().sleep_until(after(loop().now(), turn_pause));
    }
    const ssize_t count = read_some();
    if (count > 0) {
      activity_.last = loop().now();
      if (spoke_ == Instant{}) spoke_ = activity_.last;
    } else if (count == 0) {
      to_.shutdown_write();
      outcome_ = Outcome::ended;
    } else if (count != -EAGAIN) {
      outcome_ = Outcome::reading_broke;
    } else {
      buffer_.release();  // who is silent holds no memory
      turn_ = 0;
      const ssize_t ready = co_await from_.readable(after(activity_.last, activity_.options.idle));
      // The other direction may have been busy.
      const bool late = loop().now() >= after(activity_.last, activity_.options.idle);
      if (ready == -ETIMEDOUT && late) outcome_ = Outcome::idle;
    }
    if (outcome_ != Outcome::under_way) co_return;
  }
}

}  // namespace

async::Task<> relay(net::Stream& client, net::Stream& upstream, RelayOptions options, net::Buffer from_client,
                    net::Buffer from_upstream, Relayed& sofar) {
  Activity activity{client.loop().now(), options};
  Direction up(client, upstream, activity, std::move(from_client), sofar.up, sofar.client_spoke);
  Direction down(upstream, client, activity, std::move(from_upstream), sofar.down, sofar.upstream_spoke);
  auto first = co_await async::first_of(up.run(), down.run());
  const bool broke = up.failed() || down.failed();
  if (!broke && first.index() == 0) {
    auto rest = down.run();
    co_await rest;
  } else if (!broke) {
    auto rest = up.run();
    co_await rest;
  }
  using Outcome = Direction::Outcome;
  if (up.outcome() == Outcome::idle || down.outcome() == Outcome::idle) sofar.end = Relayed::End::idle;
  else if (up.outcome() == Outcome::reading_broke || down.outcome() == Outcome::writing_broke)
    sofar.end = Relayed::End::client_broke;
  else if (up.outcome() == Outcome::writing_broke || down.outcome() == Outcome::reading_broke)
    sofar.end = Relayed::End::upstream_broke;
}

}  // namespace sluice::gateway
