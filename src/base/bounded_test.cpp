// SPDX-License-Identifier: Apache-2.0
#include "base/bounded.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

TEST(Bounded, waits_stay_what_can_be_added_to_a_time) {
  EXPECT_EQ(bounded_seconds(3), 3s);
  EXPECT_EQ(bounded_milliseconds(1500), 1500ms);
  EXPECT_EQ(bounded_seconds(INT64_MAX), longest_wait);
  EXPECT_EQ(bounded_milliseconds(INT64_MAX), longest_wait);
  EXPECT_EQ(bounded_seconds(INT64_MIN), 0s);
  EXPECT_EQ(bounded_milliseconds(-1), 0s);
  EXPECT_EQ(bounded_seconds(0.25), 250ms);
  EXPECT_EQ(bounded_seconds(-0.25), 0s);
  EXPECT_EQ(bounded_seconds(1e300), longest_wait);
  EXPECT_EQ(bounded_seconds(std::numeric_limits<double>::quiet_NaN()), 0s);
  EXPECT_LT(Instant(std::chrono::hours(24 * 36500)) + longest_wait, never);
}

TEST(Bounded, numbers_become_whole) {
  EXPECT_EQ(bounded_whole(7.9), 7);
  EXPECT_EQ(bounded_whole(1e300), 1'000'000'000'000'000);
  EXPECT_EQ(bounded_whole(-std::numeric_limits<double>::infinity()), -1'000'000'000'000'000);
  EXPECT_EQ(bounded_whole(std::numeric_limits<double>::quiet_NaN()), 0);
  EXPECT_EQ(bounded_whole(std::int64_t{INT64_MIN}), -1'000'000'000'000'000);
  EXPECT_EQ(bounded_whole(std::int64_t{5}), 5);
}

}  // namespace
}  // namespace sluice
