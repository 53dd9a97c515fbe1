// SPDX-License-Identifier: Apache-2.0
#include "plugin/redis_protocol.h"

#include <gtest/gtest.h>

namespace sluice::plugin {
namespace {

using Kind = RedisValue::Kind;

TEST(RedisProtocol, writes_commands) {
  std::string out;
  append_command(out, {"SET", "a b", ""});
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$0\r\n\r\n");
}

TEST(RedisProtocol, reads_replies_cut_anywhere) {
  const std::string text =
      "+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*3\r\n:1\r\n*-1\r\n*1\r\n$1\r\nx\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    RedisParser parser;
    std::vector<RedisValue> values;
    for (std::size_t at = 0; at < text.size(); at += step) {
      parser.feed(std::string_view(text).substr(at, step));
      for (;;) {
        auto next = parser.next();
        ASSERT_TRUE(next);
        if (!*next) break;
        values.push_back(std::move(**next));
      }
    }
    ASSERT_EQ(values.size(), 6U) << step;
    EXPECT_EQ(values[0].text, "OK");
    EXPECT_TRUE(values[1].is_error());
    EXPECT_EQ(values[2].number, -7);
    EXPECT_EQ(values[3].text, "a\r\n");
    EXPECT_EQ(values[4].kind, Kind::nil);
    ASSERT_EQ(values[5].items.size(), 3U);
    EXPECT_EQ(values[5].items[2].items[0].text, "x");
    EXPECT_TRUE(parser.empty());
  }
}

TEST(RedisProtocol, refuses_what_is_none) {
  std::string deep;
  for (int i = 0; i < 20; ++i) deep += "*1\r\n";
  for (const std::string& text :
       {std::string("hello\r\n"), std::string("\r\n"), std::string(":x\r\n"), std::string("$-2\r\n"),
        std::string("$9999999\r\n"), std::string("*99999999\r\n"), std::string("$1\r\nab\r\n"), deep,
        std::string(2 << 20, 'a')}) {
    RedisParser parser;
    parser.feed(text);
    EXPECT_FALSE(parser.next()) << text.substr(0, 20);
  }
}

TEST(RedisProtocol, slots_are_those_of_the_cluster) {
  EXPECT_EQ(redis_slot("123456789"), 0x31C3 % 16384);
  EXPECT_EQ(redis_slot("foo"), 12182);
  EXPECT_EQ(redis_slot("{user1000}.following"), redis_slot("{user1000}.followers"));
  EXPECT_EQ(redis_slot("foo{}{bar}"), redis_slot("foo{}{bar}"));
  EXPECT_NE(redis_slot("foo{}{bar}"), redis_slot("bar"));
}

}  // namespace
}  // namespace sluice::plugin
