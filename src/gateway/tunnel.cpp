// SPDX-License-Identifier: Apache-2.0
#include "gateway/tunnel.h"

#include <algorithm>

#include "async/join.h"

namespace sluice::gateway {
namespace {

// When either side last said something; one direction may be silent while the other is not.
struct Activity {
  Instant last;
  Duration patience;
};

async::Task<std::uint64_t> copy(net::Stream& from, net::Buffer first, net::Stream& to, Activity& activity) {
  std::uint64_t total = 0;
  net::Buffer buffer = std::move(first);
  for (;;) {
    if (!buffer.empty()) {
      const ssize_t written = co_await to.write(buffer.view(), activity.patience);
      if (written < 0) break;
      total += buffer.size();
      activity.last = from.loop().now();
      buffer.consume(buffer.size());
    }
    buffer.release();  // an idle tunnel holds no memory
    const ssize_t ready = co_await from.readable(after(activity.last, activity.patience));
    if (ready == -ETIMEDOUT) {
      if (from.loop().now() < after(activity.last, activity.patience))
        continue;  // the other direction was busy
      break;
    }
    buffer.need();
    const ssize_t count = from.try_read(buffer.tail(), buffer.room());
    if (count == -EAGAIN) continue;
    if (count <= 0) break;
    buffer.filled(static_cast<std::size_t>(count));
  }
  to.shutdown_write();
  co_return total;
}

async::Task<> copy_up(http::Http2Stream& from, net::Stream& to, Activity& activity) {
  for (;;) {
    const Instant now = to.loop().now();
    from.set_patience(std::max(after(activity.last, activity.patience) - now, Duration::zero()));
    auto pulled = from.next();
    auto piece = co_await pulled;
    const bool late = !piece && piece.error().kind == ErrorKind::timeout;
    if (late && to.loop().now() < after(activity.last, activity.patience))
      continue;  // the other direction was busy
    if (!piece || piece->empty()) break;
    const ssize_t written = co_await to.write(*piece, activity.patience);
    if (written < 0) break;
    activity.last = to.loop().now();
  }
  to.shutdown_write();
}

async::Task<std::uint64_t> copy_down(net::Stream& from, net::Buffer first, http::Http2Stream& to,
                                     Activity& activity) {
  std::uint64_t total = 0;
  net::Buffer buffer = std::move(first);
  for (;;) {
    if (!buffer.empty()) {
      const ssize_t handed = co_await to.hand_out(buffer.view(), false, nullptr, activity.patience);
      if (handed < 0) co_return total;
      total += buffer.size();
      activity.last = from.loop().now();
    }
    buffer.release();  // an idle tunnel holds no memory
    const ssize_t ready = co_await from.readable(after(activity.last, activity.patience));
    if (ready == -ETIMEDOUT) {
      if (from.loop().now() < after(activity.last, activity.patience)) continue;
      break;
    }
    buffer.need();
    const ssize_t count = from.try_read(buffer.tail(), buffer.room());
    if (count == -EAGAIN) continue;
    if (count <= 0) break;
    buffer.filled(static_cast<std::size_t>(count));
  }
  [[maybe_unused]] const ssize_t ended = co_await to.hand_out({}, true, nullptr, activity.patience);
  co_return total;
}

}  // namespace

async::Task<> tunnel(http::Http2Stream& client, Forward& forward, http::ServerSide::Sent& sent) {
  net::Stream& far = forward.connection().stream();
  Activity activity{far.loop().now(), forward.tunnel_patience()};
  net::Buffer from_upstream = forward.connection().take_input();
  auto [up, down] = co_await async::both(copy_up(client, far, activity),
                                         copy_down(far, std::move(from_upstream), client, activity));
  sent.bytes += down;
  sent.body_bytes += down;
}

async::Task<> tunnel(http::ServerConnection& client, Forward& forward, http::ServerSide::Sent& sent) {
  Activity activity{client.stream().loop().now(), forward.tunnel_patience()};
  net::Stream& far = forward.connection().stream();
  net::Buffer from_client = client.take_input(), from_upstream = forward.connection().take_input();
  auto [up, down] = co_await async::both(copy(client.stream(), std::move(from_client), far, activity),
                                         copy(far, std::move(from_upstream), client.stream(), activity));
  sent.bytes += down;
  sent.body_bytes += down;
}

}  // namespace sluice::gateway
