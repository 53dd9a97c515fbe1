// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/hash.h"
#include "base/random.h"

namespace sluice {
namespace {

TEST(Text, case_and_trim) {
  EXPECT_TRUE(equals_ignoring_case("Content-Type", "content-type"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("a[", "a{"));
  EXPECT_TRUE(contains_ignoring_case("gzip, CHUNKED", "chunked"));
  EXPECT_FALSE(contains_ignoring_case("x", "xy"));
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(Text, split_keeps_empty_pieces) {
  std::vector<std::string_view> pieces;
  for (std::string_view piece : Split(",a,,b,", ',')) pieces.push_back(piece);
  EXPECT_EQ(pieces, (std::vector<std::string_view>{"", "a", "", "b", ""}));
  pieces.clear();
  for (std::string_view piece : Split("", ',')) pieces.push_back(piece);
  EXPECT_EQ(pieces, (std::vector<std::string_view>{""}));
}

TEST(Text, numbers) {
  EXPECT_EQ(parse_unsigned("18446744073709551615"), 18446744073709551615ull);
  EXPECT_FALSE(parse_unsigned("18446744073709551616"));
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "1a"}) EXPECT_FALSE(parse_unsigned(bad)) << bad;
  EXPECT_EQ(parse_integer("-9"), -9);
  const struct {
    const char* text;
    double value;
  } good[] = {{"1", 1}, {" -2.5 ", -2.5}, {"1e3", 1000}, {"0x10", 16}, {".5", 0.5}, {"5.", 5}, {"+7", 7}};
  for (const auto& row : good) {
    ASSERT_TRUE(parse_number(row.text)) << row.text;
    EXPECT_EQ(*parse_number(row.text), row.value) << row.text;
  }
  for (const char* bad : {"", " ", "inf", "nan", "1x", "0x", "--1", "1e999", "0x-1"})
    EXPECT_FALSE(parse_number(bad)) << bad;
  std::string out;
  append_number(out, 3);
  append_number(out, -0.5);
  EXPECT_EQ(out, "3-0.5");
}

TEST(Text, percent) {
  std::string out;
  percent_decode("a%20b%2Fc%zz%4+", out);
  EXPECT_EQ(out, "a b/c%zz%4+");
  out.clear();
  percent_decode("a+b%2B", out, true);
  EXPECT_EQ(out, "a b+");
  out.clear();
  percent_encode("a b/\xff~", out, "/");
  EXPECT_EQ(out, "a%20b/%FF~");
}

TEST(Text, hex_and_base64) {
  std::string out;
  append_hex(std::string_view("\x00\xab", 2), out);
  EXPECT_EQ(out, "00ab");
  std::string back;
  EXPECT_TRUE(decode_hex("00aB", back));
  EXPECT_EQ(back, std::string("\x00\xab", 2));
  EXPECT_FALSE(decode_hex("0", back));
  EXPECT_FALSE(decode_hex("0g", back));
  const struct {
    const char *plain, *coded, *url;
  } rows[] = {{"", "", ""},
              {"f", "Zg==", "Zg"},
              {"fo", "Zm8=", "Zm8"},
              {"foo", "Zm9v", "Zm9v"},
              {"\xfb\xff", "+/8=", "-_8"}};
  for (const auto& row : rows) {
    std::string standard, url, decoded, decoded_url;
    base64_encode(row.plain, standard);
    base64_encode(row.plain, url, Base64::url);
    EXPECT_EQ(standard, row.coded);
    EXPECT_EQ(url, row.url);
    EXPECT_TRUE(base64_decode(row.coded, decoded));
    EXPECT_TRUE(base64_decode(row.url, decoded_url, Base64::url));
    EXPECT_EQ(decoded, row.plain);
    EXPECT_EQ(decoded_url, row.plain);
  }
  for (const char* bad : {"A", "Zg==x", "Z*==", "Zm9v===="}) EXPECT_FALSE(base64_decode(bad, out)) << bad;
}

TEST(Hash, crc32_is_the_common_one) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc32(""), 0u);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xCBF43926u);
}

TEST(Hash, hash64_differs_with_every_byte) {
  std::string text(40, 'x');
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const std::uint64_t base = hash64(std::string_view(text).substr(0, length));
    EXPECT_EQ(base, hash64(text.substr(0, length)));
    for (std::size_t i = 0; i < length; ++i) {
      std::string changed = text.substr(0, length);
      changed[i] = 'y';
      EXPECT_NE(hash64(changed), base);
    }
  }
}

TEST(Random, is_spread_and_bounded) {
  Random random(1);
  int seen[10] = {};
  for (int i = 0; i < 10000; ++i) ++seen[random.below(10)];
  for (int count : seen) EXPECT_NEAR(count, 1000, 150);
  EXPECT_EQ(secret_hex(16).size(), 32u);
}

TEST(Text, MarkupIsEscaped) {
  std::string out = "<p>";
  append_markup("a<b> & \"c\" 'd'", out);
  EXPECT_EQ(out, "<p>a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
}

}  // namespace
}  // namespace sluice
