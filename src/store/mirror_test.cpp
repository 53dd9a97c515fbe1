// SPDX-License-Identifier: Apache-2.0
#include "store/mirror.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace sluice::store {
namespace {

// A value names the key that it is.
std::vector<std::string> names(std::string_view, std::string_view value) {
  return value.starts_with('/') ? std::vector{std::string(value)} : std::vector<std::string>();
}

bool none(const std::string&) { return false; }

Entry entry(std::string key, std::string value, Revision modified = 1) {
  return {std::move(key), std::move(value), 1, modified, false};
}

std::string told(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) text += change.key + (change.value ? "=" + *change.value : "-") + " ";
  return text;
}

class MirrorTest : public testing::Test {
 protected:
  // Many that name "/named".
  static std::vector<Entry> many(int count) {
    std::vector<Entry> entries;
    for (int i = 0; i < count; ++i) entries.push_back(entry(fmt::format("/many/{:05}", i), "/named"));
    return entries;
  }
  std::string referrer(const std::string& key) {
    const Entry* found = mirror_.referrer(key, none);
    return found == nullptr ? "" : found->key;
  }
  Mirror mirror_{names};
};

TEST_F(MirrorTest, TellsWhatAReplacementChanges) {
  EXPECT_EQ(told(mirror_.replace({entry("/a", "1"), entry("/b", "2"), entry("/d", "4")}, 1, {})),
            "/a=1 /b=2 /d=4 ");
  EXPECT_EQ(told(mirror_.replace({entry("/a", "1", 2), entry("/c", "3", 2), entry("/d", "5", 2)}, 2, {})),
            "/b- /c=3 /d=5 ");
  EXPECT_EQ(mirror_.find("/a")->modified, 2);
  EXPECT_EQ(told(mirror_.replace({}, 3, {})), "/a- /c- /d- ");
  EXPECT_EQ(mirror_.find("/a"), nullptr);
}

TEST_F(MirrorTest, TakesAReplacementInAnyOrder) {
  mirror_.replace({entry("/d", "4"), entry("/a", "1"), entry("/c", "3")}, 1, {});
  EXPECT_EQ(told(mirror_.replace({entry("/c", "3"), entry("/b", "2"), entry("/d", "5")}, 2, {})),
            "/a- /b=2 /d=5 ");
  EXPECT_EQ(mirror_.list("/", "", 10).entries.size(), 3u);
}

TEST_F(MirrorTest, KnowsWhoRefers) {
  mirror_.replace({entry("/a", "/c"), entry("/b", "/c"), entry("/c", "")}, 1, {});
  EXPECT_EQ(referrer("/c"), "/a");
  mirror_.apply({2, "/a", "", 1, {}, false});
  EXPECT_EQ(referrer("/c"), "/b");
  mirror_.apply({3, "/b", std::nullopt, 1, {}, false});
  EXPECT_EQ(referrer("/c"), "");
}

TEST_F(MirrorTest, KnowsWhoRefersAfterALargeReplacementToo) {
  mirror_.replace(many(5'000), 1, {});
  EXPECT_EQ(referrer("/named"), "/many/00000");
  EXPECT_FALSE(mirror_.look_for_references(10));
}

TEST_F(MirrorTest, LooksForReferencesAFewAtATime) {
  mirror_.replace(many(5'000), 1, {});
  int times = 0;
  for (bool more = true; more && times < 100; ++times) more = mirror_.look_for_references(100);
  EXPECT_EQ(times, 50);
  EXPECT_EQ(referrer("/named"), "/many/00000");
}

// Before and behind the place up to which it has looked.
TEST_F(MirrorTest, FollowsChangesWhileItLooksForReferences) {
  mirror_.replace(many(5'000), 1, {});
  EXPECT_TRUE(mirror_.look_for_references(100));
  for (int i = 0; i < 5'000; ++i) {
    if (i != 50 && i != 4'000) mirror_.apply({2, fmt::format("/many/{:05}", i), std::nullopt, 1, {}, false});
  }
  mirror_.apply({3, "/many/00050", "/other", 1, {}, false});
  mirror_.apply({4, "/many/04000", "/other", 1, {}, false});
  mirror_.apply({5, "/many/00001", "/early", 5, {}, false});
  mirror_.apply({6, "/many/09999", "/late", 6, {}, false});
  EXPECT_EQ(referrer("/named"), "");
  EXPECT_EQ(referrer("/other"), "/many/00050");
  EXPECT_EQ(referrer("/early"), "/many/00001");
  EXPECT_EQ(referrer("/late"), "/many/09999");
}

}  // namespace
}  // namespace sluice::store
