// SPDX-License-Identifier: Apache-2.0
#include "base/aging_cache.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(AgingCache, keeps_what_is_asked_for_and_stays_bounded) {
  AgingCache<int> cache(10);
  cache.put("kept", 7);
  for (int i = 0; i < 1000; ++i) {
    cache.put(std::to_string(i), i);
    ASSERT_LE(cache.size(), 10U);
    const int* kept = cache.find("kept");
    ASSERT_NE(kept, nullptr) << i;
    EXPECT_EQ(*kept, 7);
  }
  EXPECT_EQ(cache.find("0"), nullptr);
  ASSERT_NE(cache.find("999"), nullptr);
  EXPECT_EQ(*cache.find("999"), 999);
}

TEST(AgingCache, replaces_and_forgets) {
  AgingCache<int> cache(4);
  cache.put("a", 1);
  cache.put("b", 2);
  cache.put("c", 3);  // a and b grow old
  EXPECT_EQ(cache.put("a", 4), 4);
  EXPECT_EQ(*cache.find("a"), 4);
  cache.erase("a");
  EXPECT_EQ(cache.find("a"), nullptr);
}

}  // namespace
}  // namespace sluice
