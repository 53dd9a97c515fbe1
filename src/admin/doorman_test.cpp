// SPDX-License-Identifier: Apache-2.0
#include "admin/doorman.h"

#include <gtest/gtest.h>

namespace sluice::admin {
namespace {

using Answer = Doorman::Answer;

const Key ours{"ops", "a key of ours, long enough"}, other{"ci", "another key, long enough"};
const IpAddress here = IpAddress::v4(0x0A000001), there = IpAddress::v4(0x0A000002);

int refused_of(Doorman& doorman, IpAddress peer, int tries) {
  int refused = 0;
  for (int i = 0; i < tries; ++i) refused += doorman.judge(peer, nullptr) == Answer::refused;
  return refused;
}

TEST(Doorman, WrongKeysRunOut) {
  ManualClock clock;
  Doorman doorman(clock);
  EXPECT_EQ(doorman.judge(here, &ours), Answer::come_in);
  EXPECT_EQ(refused_of(doorman, here, 1000), 100);
  EXPECT_EQ(doorman.judge(here, nullptr), Answer::wait);
  EXPECT_EQ(doorman.judge(here, &other), Answer::wait) << "a guess that is right says nothing";
  EXPECT_EQ(doorman.judge(here, &ours), Answer::come_in) << "who was known before is not shut out";
  EXPECT_EQ(doorman.judge(there, &other), Answer::come_in) << "nor are others";
  clock.advance(1s);
  EXPECT_EQ(refused_of(doorman, here, 1000), 10);
  clock.advance(1h);
  EXPECT_EQ(refused_of(doorman, here, 1000), 100);
}

TEST(Doorman, ANetworkOfIpv6IsOneAddress) {
  ManualClock clock;
  Doorman doorman(clock);
  int refused = 0;
  for (std::uint64_t i = 0; i < 1000; ++i)
    refused += doorman.judge(IpAddress::v6(0x20010db800000001, i), nullptr) == Answer::refused;
  EXPECT_EQ(refused, 100);
}

TEST(Doorman, RemembersABoundedNumber) {
  ManualClock clock;
  Doorman doorman(clock);
  EXPECT_EQ(refused_of(doorman, here, 1000), 100);
  for (std::uint32_t i = 0; i < 2 * Doorman::addresses_max; ++i) {
    clock.advance(Duration(1));
    doorman.judge(IpAddress::v4(0x0B000000 + i), nullptr);
  }
  EXPECT_EQ(refused_of(doorman, here, 1), 1) << "forgotten, as the one away for the longest";
}

}  // namespace
}  // namespace sluice::admin
