// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <thread>

#include "async/join.h"
#include "async/loop.h"

namespace sluice::async {
namespace {

Task<int> ready(int value) { return value; }
Task<int> coroutine(int value) { co_return value; }
Task<int> later(Loop& loop, int value, Duration wait) {
  co_await loop.sleep(wait);
  co_return value;
}

struct Guard {
  int& ended;
  ~Guard() { ++ended; }
};
Task<int> guarded(Loop& loop, int& ended) {
  Guard guard{ended};
  co_await loop.sleep(1h);
  co_return 1;
}

void drive(Loop& loop, ManualClock& clock, Duration step, const bool& done) {
  for (int i = 0; i < 1000 && !done; ++i) {
    clock.advance(step);
    loop.run_once();
  }
}

Task<> await_many(long& sum) {
  for (int i = 0; i < 1'000'000; ++i) {
    const int a = co_await ready(1);
    const int b = co_await coroutine(1);
    sum += a + b;
  }
}

TEST(Task, AMillionReadyFramesNeedNoStack) {
  Loop loop;
  long sum = 0;
  loop.spawn(await_many(sum));
  EXPECT_EQ(sum, 2'000'000);
}

Task<> both_of(Loop& loop, int& sum, bool& done) {
  auto [a, b] = co_await both(later(loop, 1, 10ms), later(loop, 2, 20ms));
  sum = a * 10 + b;
  done = true;
}

TEST(Join, BothWaitsForBoth) {
  ManualClock clock;
  Loop loop(clock);
  int sum = 0;
  bool done = false;
  loop.spawn(both_of(loop, sum, done));
  clock.advance(15ms);
  loop.run_once();
  EXPECT_FALSE(done);
  drive(loop, clock, 5ms, done);
  EXPECT_EQ(sum, 12);
}

Task<> race(Loop& loop, int& ended, std::size_t& winner, bool& done) {
  auto won = co_await first_of(guarded(loop, ended), later(loop, 7, 5ms));
  winner = won.index();
  EXPECT_EQ(ended, 1) << "the loser is destroyed with the join";
  done = true;
}

TEST(Join, FirstOfDestroysTheLoser) {
  ManualClock clock;
  Loop loop(clock);
  int ended = 0;
  std::size_t winner = 9;
  bool done = false;
  loop.spawn(race(loop, ended, winner, done));
  drive(loop, clock, 5ms, done);
  EXPECT_EQ(winner, 1u);
}

Task<> race_ready(Loop& loop, int& ended, std::size_t& winner) {
  auto won = co_await first_of(ready(3), guarded(loop, ended));
  winner = won.index();
}

TEST(Join, FirstOfDoesNotStartTheSecondWhenTheFirstIsReady) {
  Loop loop;
  int ended = 0;
  std::size_t winner = 9;
  loop.spawn(race_ready(loop, ended, winner));
  EXPECT_EQ(winner, 0u);
  EXPECT_EQ(ended, 0);
}

TEST(Loop, DestroysWhatIsStillWaiting) {
  int ended = 0;
  {
    Loop loop;
    loop.spawn([](Loop& l, int& e) -> Task<> { co_await guarded(l, e); }(loop, ended));
    EXPECT_EQ(ended, 0);
  }
  EXPECT_EQ(ended, 1);
}

TEST(Loop, RunsMessagesOfOtherThreadsInOrder) {
  Loop loop;
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.post([&loop] { loop.stop(); });
  });
  loop.run();
  other.join();
  ASSERT_EQ(seen.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[i], i);
}

TEST(Timer, MovesToLaterAndEarlierAndCancels) {
  ManualClock clock;
  Loop loop(clock);
  int fired = 0;
  auto count = [](void* p) { ++*static_cast<int*>(p); };
  Timer timer(loop, count, &fired);
  timer.set(loop.now() + 10ms);
  timer.set(loop.now() + 30ms);  // lazily later
  clock.advance(20ms);
  loop.run_once();
  EXPECT_EQ(fired, 0);
  timer.set(loop.now() + 5ms);  // earlier
  clock.advance(5ms);
  loop.run_once();
  EXPECT_EQ(fired, 1);
  timer.set(loop.now() + 5ms);
  timer.cancel();
  clock.advance(50ms);
  loop.run_once();
  EXPECT_EQ(fired, 1);
}

TEST(Timer, ManyFireInOrder) {
  ManualClock clock;
  Loop loop(clock);
  struct Entry {
    std::vector<int>* order;
    int value;
  };
  std::vector<int> order;
  std::vector<Entry> entries(1000);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 1000; ++i) {
    const int at = (i * 7919) % 1000;
    entries[i] = {&order, at};
    auto note = [](void* p) {
      auto* entry = static_cast<Entry*>(p);
      entry->order->push_back(entry->value);
    };
    timers.push_back(std::make_unique<Timer>(loop, note, &entries[i]));
    timers.back()->set(loop.now() + std::chrono::milliseconds(at));
  }
  for (int i = 0; i < 1000; i += 10) timers[i].reset();
  clock.advance(2s);
  loop.run_once();
  ASSERT_EQ(order.size(), 900u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

}  // namespace
}  // namespace sluice::async
