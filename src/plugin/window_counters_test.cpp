// SPDX-License-Identifier: Apache-2.0
#include "plugin/window_counters.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/hash.h"

namespace sluice::plugin {
namespace {

using Outcome = WindowCounters::Outcome;
constexpr Instant start{std::chrono::hours(10)};

TEST(WindowCounters, fixed_windows_begin_with_the_first_request) {
  WindowCounters counters;
  auto taken = counters.take_fixed(1, 2, 10s, start + 3s);
  EXPECT_EQ(taken.outcome, Outcome::admitted);
  EXPECT_EQ(taken.remaining, 1U);
  EXPECT_EQ(taken.reset, 10s);
  EXPECT_EQ(counters.take_fixed(1, 2, 10s, start + 8s).remaining, 0U);
  taken = counters.take_fixed(1, 2, 10s, start + 12s);
  EXPECT_EQ(taken.outcome, Outcome::rejected);
  EXPECT_EQ(taken.reset, 1s);
  EXPECT_EQ(counters.take_fixed(2, 2, 10s, start + 12s).outcome, Outcome::admitted);
  EXPECT_EQ(counters.take_fixed(1, 2, 10s, start + 13s).outcome, Outcome::admitted);
}

TEST(WindowCounters, sliding_windows_carry_the_last_one) {
  WindowCounters counters;
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(counters.take_sliding(1, 4, 10s, start + 9s).outcome, Outcome::admitted);
  EXPECT_EQ(counters.take_sliding(1, 4, 10s, start + 9s).reset, 1s);
  EXPECT_EQ(counters.take_sliding(1, 4, 10s, start + 10s).outcome, Outcome::rejected);  // 4 of 4 still count
  const auto half = counters.take_sliding(1, 4, 10s, start + 15s);  // 2 of them do
  EXPECT_EQ(half.outcome, Outcome::admitted);
  EXPECT_EQ(half.remaining, 1U);
  EXPECT_EQ(half.reset, 5s);
  EXPECT_EQ(counters.take_sliding(1, 4, 10s, start + 14s).outcome, Outcome::admitted);  // a clock behind
  EXPECT_EQ(counters.take_sliding(1, 4, 10s, start + 15s).outcome, Outcome::rejected);
  EXPECT_EQ(counters.take_sliding(1, 4, 10s, start + 100s).remaining, 3U);
}

TEST(WindowCounters, never_admits_one_too_many) {
  constexpr std::uint64_t limit = 250'000;  // of a million requests
  WindowCounters counters;
  std::atomic<std::uint64_t> fixed{0}, sliding{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < limit; ++i) {
        const auto now = start + Duration(static_cast<std::int64_t>(i));
        fixed += counters.take_fixed(7, limit, 1h, now).outcome == Outcome::admitted;
        sliding += counters.take_sliding(8, limit, 1h, now).outcome == Outcome::admitted;
        counters.take_fixed(hash64(i), 1, 1h, now);  // other keys make the tables grow meanwhile
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(fixed, limit);
  EXPECT_EQ(sliding, limit);
  EXPECT_EQ(counters.size(), limit + 2);
}

TEST(WindowCounters, is_bounded_and_forgets_what_is_over) {
  constexpr std::size_t keys_max = 64 * 100;
  WindowCounters counters(keys_max);
  std::size_t full = 0;
  for (std::uint64_t i = 0; i < keys_max * 4; ++i)
    full += counters.take_fixed(hash64(i), 1, 10s, start).outcome == Outcome::full;
  EXPECT_EQ(counters.size(), keys_max);
  EXPECT_EQ(full, keys_max * 3);
  EXPECT_EQ(counters.take_fixed(hash64(std::uint64_t{1}), 1, 10s, start).outcome, Outcome::rejected);
  for (std::uint64_t i = 0; i < keys_max / 2; ++i)
    EXPECT_EQ(counters.take_fixed(hash64(i + 1'000'000), 1, 10s, start + 11s).outcome, Outcome::admitted);
  EXPECT_LE(counters.size(), keys_max);
}

}  // namespace
}  // namespace sluice::plugin
