// SPDX-License-Identifier: Apache-2.0
#include "upstream/http2_pool.h"

#include <gtest/gtest.h>

#include <coroutine>

#include "async/child.h"
#include "net/loopback.h"

namespace sluice::upstream {
namespace {

// A network whose connections come when the test says so.
class SlowNetwork final : public net::Network {
 public:
  Result<std::unique_ptr<net::Listener>> listen(async::Loop&, Endpoint, net::ListenOptions,
                                                OnAccept) override {
    return fail(ErrorKind::system, "nobody listens here");
  }
  async::Task<Result<std::unique_ptr<net::Stream>>> connect(async::Loop& loop, Endpoint, Instant) override {
    ++asked;
    co_await Wait{*this};
    auto [near, far] = memory_.pair(loop);
    far_.push_back(std::move(far));
    co_return std::move(near);
  }
  void admit() { std::exchange(waiter_, nullptr).resume(); }
  int asked = 0;

 private:
  struct Wait {
    SlowNetwork& network;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiter) { network.waiter_ = waiter; }
    void await_resume() const {}
  };
  net::Loopback memory_;
  std::vector<std::unique_ptr<net::Stream>> far_;
  std::coroutine_handle<> waiter_;
};

async::Task<> take(Http2Pool& pool, http::Http2Client*& taken) {
  Http2Way way;
  way.key = 1;
  auto taking = pool.take(std::move(way));
  auto result = co_await taking;
  EXPECT_TRUE(result);
  taken = *result;
}

TEST(Http2Pool, WhoComesWhenTheConnectionIsThereNeedsNoOther) {
  ManualClock clock;
  async::Loop loop{clock};
  SlowNetwork network;
  Http2Pool pool(loop, network);
  http::Http2Client *one = nullptr, *other = nullptr;
  async::Child first, second;
  first.start(take(pool, one));
  network.admit();
  second.start(take(pool, other));  // before those in line have been looked at
  while (loop.run_once()) {
  }
  EXPECT_NE(one, nullptr);
  EXPECT_EQ(one, other);
  EXPECT_EQ(network.asked, 1);
  EXPECT_EQ(pool.connections(), 1u);
}

}  // namespace
}  // namespace sluice::upstream
