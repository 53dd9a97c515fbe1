// SPDX-License-Identifier: Apache-2.0
#include "http/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace sluice::http {
namespace {

// Texts of every length around the width of a step, of bytes that matter and of any.
std::string text_of(std::mt19937& random, std::size_t size, std::string_view bytes) {
  std::string text;
  while (text.size() < size)
    text += random() % 64 == 0 ? static_cast<char>(random()) : bytes[random() % bytes.size()];
  return text;
}

TEST(Bytes, ATargetIsSeenAsByteByByte) {
  std::mt19937 random(7);
  for (int round = 0; round < 40000; ++round) {
    const auto text = text_of(random, random() % 70, round % 2 ? "abcdefgh/" : "abc/.?#% ");
    const std::size_t size = std::min(
        static_cast<std::size_t>(std::ranges::find_if_not(text, is_target_byte) - text.begin()), text.size());
    const std::size_t mark = std::min(text.substr(0, size).find_first_of("?#"), size);
    const std::string path = text.substr(0, mark);
    const bool plain = !path.contains('%') && !path.contains("//") && !path.contains("/.");
    const auto look = look_at_target(text.data(), text.data() + text.size());
    EXPECT_EQ(look.end - text.data(), static_cast<std::ptrdiff_t>(size)) << text;
    EXPECT_EQ(look.mark - text.data(), static_cast<std::ptrdiff_t>(mark)) << text;
    EXPECT_EQ(look.plain_path, plain) << text;
  }
}

TEST(Bytes, AHostIsAsLongAsByteByByte) {
  std::mt19937 random(7);
  const auto belongs = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
  };
  int seen = 0;
  for (int round = 0; round < 40000; ++round) {
    const std::string head = text_of(random, random() % 20, "GET /:");
    const std::string text = head + text_of(random, random() % 20, "abc-.:0129zm");
    const std::string_view authority = std::string_view(text).substr(head.size());
    const std::size_t end = end_of_plain_host(authority, text.data());
    if (end == std::string_view::npos) continue;
    ++seen;
    EXPECT_TRUE(std::ranges::all_of(authority, belongs)) << authority;
    EXPECT_EQ(end, std::min(authority.find(':'), authority.size())) << authority;
  }
#if defined(__SSE2__)
  EXPECT_GT(seen, 1000);
#endif
}

}  // namespace
}  // namespace sluice::http
