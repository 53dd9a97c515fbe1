// SPDX-License-Identifier: Apache-2.0
#include "base/compression.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace sluice {
namespace {

std::string sample(std::size_t size) {
  Random random(7);
  std::string text;
  while (text.size() < size)
    text += "line " + std::to_string(random.below(1000)) + " of a text that repeats itself\n";
  text.resize(size);
  return text;
}

using Make = std::unique_ptr<Compressor> (*)();
const std::pair<Make, Coding> kinds[] = {
    {[] { return make_gzip_compressor(1, -1); }, Coding::gzip},
    {[] { return make_gzip_compressor(9, 100); }, Coding::gzip},  // a hint that is wrong
    {[] { return make_brotli_compressor({}); }, Coding::brotli},
    {[] { return make_brotli_compressor({.mode = 1, .quality = 0, .window = 10, .block = 16}); },
     Coding::brotli},
};

TEST(Compression, comes_back_as_it_was) {
  for (const auto& [make, coding] : kinds) {
    for (const std::size_t size : {0, 1, 1000, 300'000}) {
      const std::string text = sample(size);
      const auto compressor = make();
      std::string out;
      for (std::size_t at = 0; at < size; at += 7000)
        compressor->add(std::string_view(text).substr(at, 7000), Compressor::Then::more, out);
      compressor->add({}, Compressor::Then::end, out);
      if (size > 1000) EXPECT_LT(out.size(), size / 2);
      const auto back = decode(coding, out, size);
      ASSERT_TRUE(back) << back.error().what;
      EXPECT_EQ(*back, text);
    }
  }
}

TEST(Compression, a_pause_lets_the_reader_see_all_so_far) {
  for (const auto& [make, coding] : kinds) {
    const auto compressor = make();
    std::string out;
    compressor->add("first", Compressor::Then::pause, out);
    const std::size_t half = out.size();
    EXPECT_GT(half, 5U);
    compressor->add("second", Compressor::Then::end, out);
    EXPECT_EQ(*decode(coding, out, 100), "firstsecond");
  }
}

TEST(Compression, is_bounded_and_refuses_what_is_broken) {
  for (const auto& [make, coding] : kinds) {
    const auto compressor = make();
    std::string bomb;
    compressor->add(std::string(10'000'000, 'a'), Compressor::Then::end, bomb);
    const auto stopped = decode(coding, bomb, 100'000);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, ErrorKind::limit);
    EXPECT_FALSE(decode(coding, "no such thing", 1000));
    EXPECT_FALSE(decode(coding, std::string_view(bomb).substr(0, bomb.size() / 2), 100'000'000));
    EXPECT_FALSE(decode(coding, "", 1000));
  }
  EXPECT_FALSE(decode(Coding::unknown, "x", 10));
  EXPECT_EQ(*decode(Coding::identity, "x", 10), "x");
}

TEST(Compression, names_of_codings) {
  EXPECT_EQ(coding_of("GZip"), Coding::gzip);
  EXPECT_EQ(coding_of("br"), Coding::brotli);
  EXPECT_EQ(coding_of("deflate"), Coding::deflate);
  EXPECT_EQ(coding_of(""), Coding::identity);
  EXPECT_EQ(coding_of("zstd"), Coding::unknown);
}

}  // namespace
}  // namespace sluice
