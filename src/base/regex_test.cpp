// SPDX-License-Identifier: Apache-2.0
#include "base/regex.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using Outcome = Regex::Outcome;
using Engine = Regex::Engine;

TEST(Regex, chooses_its_engine_and_agrees_with_pcre) {
  const struct {
    const char *pattern, *flags, *subject;
    Outcome outcome;
    Engine engine;
  } rows[] = {
      {"^/api/(v[0-9]+)/", "jo", "/api/v1/x", Outcome::match, Engine::re2},
      {"^abc$", "", "abc", Outcome::match, Engine::re2},
      {"^abc$", "", "abc\n", Outcome::match, Engine::re2},
      {"^abc$", "", "abc\n\n", Outcome::no_match, Engine::re2},
      {"abc\\z", "", "abc\n", Outcome::no_match, Engine::re2},
      {"ABC", "joi", "xabcx", Outcome::match, Engine::re2},
      {"a.c", "", "a\nc", Outcome::no_match, Engine::re2},
      {"a.c", "s", "a\nc", Outcome::match, Engine::re2},
      {"^b$", "m", "a\nb\nc", Outcome::match, Engine::re2},
      {"a\\sb", "",
       "a\x0b"
       "b",
       Outcome::match, Engine::re2},
      {"a[\\s]b", "",
       "a\x0b"
       "b",
       Outcome::match, Engine::re2},
      {"b", "a", "ab", Outcome::no_match, Engine::re2},
      {"^.$", "", "\xff", Outcome::match, Engine::re2},
      {"(?<year>[0-9]+)", "", "in 2026", Outcome::match, Engine::re2},
      {"[]x]+$", "", "x]", Outcome::match, Engine::re2},
      {"(a)\\1", "", "aa", Outcome::match, Engine::pcre2},
      {"foo(?!bar)", "", "foobar", Outcome::no_match, Engine::pcre2},
      {"foo(?!bar)", "", "foobaz", Outcome::match, Engine::pcre2},
      {"a b", "x", "ab", Outcome::match, Engine::pcre2},
      {"a++b", "", "aaab", Outcome::match, Engine::pcre2},
      {"\\bfoo\\b", "", "a foo b", Outcome::match, Engine::re2},
  };
  for (const auto& row : rows) {
    const auto regex = Regex::compile(row.pattern, row.flags);
    ASSERT_TRUE(regex) << row.pattern;
    EXPECT_EQ(regex->match(row.subject), row.outcome) << row.pattern << " on " << row.subject;
    EXPECT_EQ(regex->engine(), row.engine) << row.pattern;
  }
}

TEST(Regex, refuses_with_a_sentence) {
  const auto open = Regex::compile("(");
  ASSERT_FALSE(open);
  EXPECT_NE(open.error().what.find("\"(\""), std::string::npos);
  EXPECT_FALSE(Regex::compile("a", "q"));
  EXPECT_FALSE(Regex::compile(std::string(Regex::pattern_bytes_max + 1, 'a')));
}

TEST(Regex, runs_out_of_budget_instead_of_time) {
  const auto regex = Regex::compile("^(?=x?)(a+)+$");
  ASSERT_TRUE(regex);
  ASSERT_EQ(regex->engine(), Engine::pcre2);
  const std::uint64_t before = Regex::exhausted_total();
  EXPECT_EQ(regex->match(std::string(40, 'a') + "b"), Outcome::exhausted);
  EXPECT_EQ(Regex::exhausted_total(), before + 1);
  std::string out = "kept";
  EXPECT_EQ(regex->replace(std::string(40, 'a') + "b", *Replacement::compile("x"), Regex::Mode::global, out),
            Outcome::exhausted);
  EXPECT_EQ(out, "kept");
}

TEST(Regex, captures_groups) {
  std::string_view groups[4];
  for (const char* pattern : {"(a)|(b)(c)", "(a)|(b)(c)(?!x)"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex);
    ASSERT_EQ(regex->captures("zbc", groups), Outcome::match);
    EXPECT_EQ(groups[0], "bc");
    EXPECT_EQ(groups[1].data(), nullptr);
    EXPECT_EQ(groups[2], "b");
    EXPECT_EQ(groups[3], "c");
    EXPECT_EQ(regex->group_count(), 3u);
  }
  EXPECT_EQ(Regex::compile("(?<a>x)(?P<b>y)")->group_index("b"), 2u);
  EXPECT_EQ(Regex::compile("(?<a>x)(?<b>y)(?=z)")->group_index("b"), 2u);
  EXPECT_FALSE(Regex::compile("(x)")->group_index("b"));
}

TEST(Regex, replaces) {
  const struct {
    const char *pattern, *subject, *by;
    Regex::Mode mode;
    const char* result;
    std::size_t count;
  } rows[] = {
      {"^/a/(.*)/(.*)", "/a/b/c", "/$2/${1}x", Regex::Mode::once, "/c/bx", 1},
      {"o", "foo", "0", Regex::Mode::global, "f00", 2},
      {"o", "foo", "0", Regex::Mode::once, "f0o", 1},
      {"x*", "ab", "-", Regex::Mode::global, "-a-b-", 3},
      {"z", "ab", "-", Regex::Mode::global, "ab", 0},
      {"o$", "foo\n", "X", Regex::Mode::once, "foX\n", 1},
      {"a(?=b)", "abab", "$$$0", Regex::Mode::global, "$ab$ab", 2},
      {"^$", "", "x", Regex::Mode::global, "x", 1},
      {"^a", "aaa", "b", Regex::Mode::global, "baa", 1},
      {"(a)|(b)", "b", "[$1|$2|$9]", Regex::Mode::once, "[|b|]", 1},
  };
  for (const auto& row : rows) {
    std::string out;
    std::size_t count = 9;
    Regex::compile(row.pattern)->replace(row.subject, *Replacement::compile(row.by), row.mode, out, &count);
    EXPECT_EQ(out, row.result) << row.pattern;
    EXPECT_EQ(count, row.count) << row.pattern;
  }
  for (const char* bad : {"$", "$x", "${1", "${}", "$99"}) EXPECT_FALSE(Replacement::compile(bad)) << bad;
}

}  // namespace
}  // namespace sluice
