// SPDX-License-Identifier: Apache-2.0
#include "main/outcome.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "json/text.h"

namespace sluice::main {
namespace {

TEST(ChangedKeys, AreNamedByTheirPathsWithoutValues) {
  struct Case {
    std::string_view before, now, changed;
  };
  for (const auto& [before, now, changed] : {
           Case{"{}", "{}", ""},
           {R"({"a": {"b": 1, "c": [1]}})", R"({"a": {"c": [1], "b": 1}})", ""},
           {R"({"a": {"b": 1, "c": [1]}})", R"({"a": {"b": 2, "c": [1, 2]}})", "/a/b, /a/c"},
           {R"({"a": {"b": {"c": 1, "d": 2}}})", R"({})", "/a/b/c, /a/b/d"},
           {R"({})", R"({"a": {"b": 1}, "c": 2})", "/a/b, /c"},
           {R"({"a": {"b": 1}})", R"({"a": 5})", "/a"},
       }) {
    const auto old_value = json::parse(before), new_value = json::parse(now);
    ASSERT_TRUE(old_value && new_value);
    EXPECT_EQ(changed_keys(*old_value, *new_value), changed) << before << now;
  }
}

TEST(Outcome, IsReadAsItWasTold) {
  char folder[] = "/tmp/sluice-outcome-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string prefix = folder;
  std::filesystem::create_directory(prefix + "/logs");
  EXPECT_FALSE(read_outcome(prefix));
  EXPECT_FALSE(await_outcome(prefix, 0, Duration::zero()));
  tell_outcome(prefix, {1, true, "changed and live: /a"});
  tell_outcome(prefix, {2, false, "a port is taken: 127.0.0.1:80"});
  const auto told = await_outcome(prefix, 1, std::chrono::seconds(1));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->number, 2u);
  EXPECT_FALSE(told->applied);
  EXPECT_EQ(told->what, "a port is taken: 127.0.0.1:80");
  EXPECT_FALSE(await_outcome(prefix, 2, Duration::zero()));
  forget_outcome(prefix);
  EXPECT_FALSE(read_outcome(prefix));
  std::filesystem::remove_all(prefix);
}

}  // namespace
}  // namespace sluice::main
