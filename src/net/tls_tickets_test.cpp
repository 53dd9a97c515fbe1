// SPDX-License-Identifier: Apache-2.0
#include "net/tls_tickets.h"

#include <gtest/gtest.h>

namespace sluice::net {
namespace {

TEST(TicketKeys, EncryptForAnHourAndDecryptForTwoMore) {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  ASSERT_TRUE(first);
  clock.advance(59min);
  EXPECT_EQ(keys.current()->name, first->name);
  clock.advance(1min);
  const auto second = keys.current();
  EXPECT_NE(second->name, first->name);
  EXPECT_NE(second->cipher, first->cipher);
  EXPECT_NE(second->digest, first->digest);
  ASSERT_TRUE(keys.find(first->name.data()));
  EXPECT_FALSE(keys.find(first->name.data())->current);
  EXPECT_TRUE(keys.find(second->name.data())->current);
  clock.advance(119min);
  EXPECT_EQ(keys.find(first->name.data())->key.cipher, first->cipher);
  clock.advance(1min);
  EXPECT_FALSE(keys.find(first->name.data()));
  EXPECT_TRUE(keys.find(second->name.data()));
}

TEST(TicketKeys, OfATicketThatNobodyGaveAreNotFound) {
  TicketKeys keys(Clock::system());
  std::array<unsigned char, 16> name{};
  EXPECT_FALSE(keys.find(name.data()));
}

TEST(TicketKeys, AreAllForgottenWhenNobodyCameForLong) {
  ManualClock clock;
  TicketKeys keys(clock);
  const auto first = keys.current();
  clock.advance(24h);
  EXPECT_FALSE(keys.find(first->name.data()));
}

}  // namespace
}  // namespace sluice::net
