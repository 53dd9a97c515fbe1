// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice {
namespace {

constexpr std::int64_t wall = 1'700'000'000'123'456'789;  // 2023-11-14T22:13:20.123Z

TEST(Id, uuid_is_of_version_4) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    std::string id;
    append_uuid(id);
    ASSERT_EQ(id.size(), 36U);
    EXPECT_EQ(id[14], '4') << id;
    EXPECT_TRUE(id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b') << id;
    for (const std::size_t dash : {8, 13, 18, 23}) EXPECT_EQ(id[dash], '-') << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Id, uuid_of_version_7_begins_with_the_time) {
  std::string id;
  append_uuid_v7(wall, id);
  EXPECT_EQ(id.substr(0, 13), "018bcfe5-687b");  // 1700000000123 milliseconds
  EXPECT_EQ(id[14], '7');
  std::string later;
  append_uuid_v7(wall + 1'000'000, later);
  EXPECT_LT(id, later);
}

TEST(Id, nanoid_has_21_characters_of_its_alphabet) {
  std::string id;
  append_nanoid(id);
  EXPECT_EQ(id.size(), 21U);
  EXPECT_EQ(id.find_first_not_of("-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            std::string::npos);
}

TEST(Id, ksuid_sorts_by_the_second) {
  std::string id, later;
  append_ksuid(wall, id);
  append_ksuid(wall + 1'000'000'000, later);
  EXPECT_EQ(id.size(), 27U);
  EXPECT_LT(id, later);
  EXPECT_EQ(id.substr(0, 4), "2YBX") << "the first characters are the time";
}

TEST(Id, characters_are_of_the_set) {
  std::string id;
  append_characters("ab", 40, id);
  EXPECT_EQ(id.size(), 40U);
  EXPECT_EQ(id.find_first_not_of("ab"), std::string::npos);
}

}  // namespace
}  // namespace sluice
