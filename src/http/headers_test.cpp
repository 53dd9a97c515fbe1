// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

TEST(HeaderId, KnowsNamesInAnyCase) {
  EXPECT_EQ(header_id("Host"), HeaderId::host);
  EXPECT_EQ(header_id("tE"), HeaderId::te);
  EXPECT_EQ(header_id("X-FORWARDED-PORT"), HeaderId::x_forwarded_port);
  EXPECT_EQ(header_id("x-forwarded-host"), HeaderId::x_forwarded_host);
  EXPECT_EQ(header_id("Proxy-Authorization"), HeaderId::proxy_authorization);
  for (const std::string_view other :
       {"", "h", "hos", "hosts", "h0st", "x-forwarded-hosp", "contentxlength"}) {
    EXPECT_EQ(header_id(other), HeaderId::other) << other;
  }
}

TEST(Headers, SetReplacesEveryFieldOfThatName) {
  Arena arena;
  Headers headers(arena);
  headers.add("X-A", "1");
  headers.add("B", "2");
  headers.add("x-a", "3");
  headers.set("X-A", "4");
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers.get("x-A"), "4");
  headers.remove("b");
  EXPECT_FALSE(headers.has("B"));
}

TEST(Headers, ANameMadeOnceDoesWhatItsTextDoes) {
  Arena arena;
  Headers headers(arena);
  const FieldName own("X-Own"), server("Server");
  EXPECT_EQ(headers.find(own), nullptr);
  headers.remove(own);
  headers.add("x-own", "1");
  headers.add("X-Other", "2");
  headers.add("X-OWN", "3");
  headers.set(own, "4");
  headers.set(server, "a\r\nb");
  EXPECT_EQ(headers.get("X-Own"), "4");
  EXPECT_EQ(headers.get(HeaderId::server), "a  b");
  EXPECT_EQ(headers.size(), 3u);
  EXPECT_EQ(headers.find(own), headers.find("x-own"));
  headers.remove(own);
  headers.remove(server);
  EXPECT_EQ(headers.size(), 1u);
  headers.set(own, "5");
  EXPECT_EQ(headers.get("x-own"), "5");
}

TEST(Headers, NoValueCanEndItsLine) {
  Arena arena;
  Headers headers(arena);
  headers.set("X-A", "a\r\nX-Evil: b");
  EXPECT_EQ(headers.get("X-A"), "a  X-Evil: b");
  headers.add("Bad Name", "x");
  headers.add("", "x");
  EXPECT_EQ(headers.size(), 1u);
}

TEST(Headers, JoinsRepeatedFields) {
  Arena arena;
  Headers headers(arena);
  headers.add("Via", "a");
  headers.add("via", "b");
  EXPECT_EQ(headers.joined("VIA"), "a, b");
  EXPECT_EQ(headers.joined("Host"), std::nullopt);
  headers.add("Host", "x");
  headers.add("Host", "y");
  EXPECT_TRUE(headers.repeated(HeaderId::host));
}

TEST(Headers, a_name_is_a_token_wherever_the_bad_byte_stands) {
  const std::string_view marks = "!#$%&'*+-.^_`|~";
  for (std::size_t size = 1; size <= 36; ++size) {
    EXPECT_TRUE(valid_name(std::string(size, 'x')));
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string name(size, 'x');
        name[at] = static_cast<char>(byte);
        const bool token = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                           (byte >= 'A' && byte <= 'Z') || (byte != 0 && marks.contains(name[at]));
        ASSERT_EQ(valid_name(name), token) << "size " << size << ", byte " << byte << " at " << at;
      }
    }
  }
  EXPECT_FALSE(valid_name(""));
}

}  // namespace
}  // namespace sluice::http
