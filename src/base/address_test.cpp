// SPDX-License-Identifier: Apache-2.0
#include "base/address.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/cidr.h"
#include "base/random.h"

namespace sluice {
namespace {

TEST(IpAddress, parses_and_formats) {
  for (const char* text :
       {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:2:3:4"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
  EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1")->text(), "10.0.0.1");
  EXPECT_EQ(IpAddress::parse("[::1]")->text(), "::1");
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "a.b.c.d", "::1%lo",
                          ":::", "1..2.3", "[1.2.3.4]", "1.2.3.0004"}) {
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  }
}

TEST(Endpoint, goes_to_the_kernel_and_back) {
  for (const char* text : {"127.0.0.1:80", "[2001:db8::1]:65535"}) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->text(), text);
    sockaddr_storage storage;
    endpoint->to_sockaddr(storage);
    EXPECT_EQ(Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&storage)), endpoint);
  }
  for (const char* bad :
       {"127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:80", "host:80", "[::1]80"}) {
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
  }
  EXPECT_EQ(split_host_port("foo.com:80")->host, "foo.com");
  EXPECT_EQ(split_host_port("::1")->host, "::1");
  EXPECT_FALSE(split_host_port(":80"));
}

TEST(Cidr, parses_masks_and_explains) {
  EXPECT_EQ(Cidr::parse("10.1.2.3/8")->text(), "10.0.0.0/8");
  EXPECT_EQ(Cidr::parse("10.1.2.3")->text(), "10.1.2.3");
  EXPECT_EQ(Cidr::parse("2001:db8:ff::/32")->text(), "2001:db8::/32");
  EXPECT_EQ(Cidr::parse("::ffff:10.1.2.3/104")->text(), "10.0.0.0/8");
  EXPECT_EQ(Cidr::parse("0.0.0.0/0")->text(), "0.0.0.0/0");
  for (const char* bad :
       {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "x/8", "::ffff:1.2.3.4/8"}) {
    const auto result = Cidr::parse(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_NE(result.error().what.find(bad), std::string::npos);
  }
}

TEST(CidrSet, agrees_with_the_networks_it_was_made_of) {
  Random random(7);
  for (const std::size_t count : {0u, 1u, 3u, 40u, 3000u}) {
    std::vector<Cidr> networks;
    for (std::size_t i = 0; i < count; ++i) {
      const auto bits = static_cast<unsigned>(random.below(count > 100 ? 20 : 33)) + (count > 100 ? 12 : 0);
      if (random.below(2)) {
        networks.push_back(*Cidr::parse(IpAddress::v4(static_cast<std::uint32_t>(random.next())).text() +
                                        "/" + std::to_string(bits)));
      } else {
        networks.push_back(
            *Cidr::parse(IpAddress::v6(0x20010DB800000000ull | random.below(1 << 20), random.next()).text() +
                         "/" + std::to_string(32 + bits * 2)));
      }
    }
    const CidrSet set(networks);
    for (int i = 0; i < 3000; ++i) {
      IpAddress asked = random.below(2)
                            ? IpAddress::v4(static_cast<std::uint32_t>(random.next()))
                            : IpAddress::v6(0x20010DB800000000ull | random.below(1 << 20), random.next());
      if (!networks.empty() && random.below(2)) {  // at the edges of one of them
        const Cidr& near = networks[random.below(networks.size())];
        asked = near.network.is_v4()
                    ? IpAddress::v4(near.network.v4_value() - static_cast<std::uint32_t>(random.below(2)))
                    : IpAddress::v6(near.network.high(), near.network.low() - random.below(2));
      }
      bool expected = false;
      for (const Cidr& network : networks) expected = expected || network.contains(asked);
      ASSERT_EQ(set.contains(asked), expected) << asked.text() << " of " << count;
    }
  }
}

TEST(CidrSet, holds_everything_with_prefix_zero) {
  const std::vector<std::string> texts = {"0.0.0.0/0", "::/0"};
  const auto set = CidrSet::parse(texts);
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->contains(IpAddress::v4(0xFFFFFFFF)));
  EXPECT_TRUE(set->contains(*IpAddress::parse("ffff::1")));
  const std::vector<std::string> bad = {"10.0.0.0/8", "nonsense"};
  EXPECT_FALSE(CidrSet::parse(bad));
}

}  // namespace
}  // namespace sluice
