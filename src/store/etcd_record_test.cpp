// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_record.h"

#include <gtest/gtest.h>

#include "store/history_index.h"

namespace sluice::store::etcd {
namespace {

TEST(EtcdRecord, IsReadAsItWasWritten) {
  const Head head{
      .at_ms = 17, .author = {"a\"b", "::1"}, .note = "n", .size = 9, .keys = {{"routes/1", false, true}}};
  const auto read = read_head(to_text(head));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->at_ms, 17);
  EXPECT_EQ(read->author.name, "a\"b");
  EXPECT_EQ(read->size, 9);
  ASSERT_EQ(read->keys.size(), 1u);
  EXPECT_TRUE(read->keys[0].exists);
  EXPECT_FALSE(read->keys[0].existed);
  const std::vector<Values> values{{std::nullopt, std::string("\xff\0-:", 4)}, {"", std::nullopt}};
  const auto back = read_values(to_text(values));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].after, values[0].after);
  EXPECT_FALSE((*back)[0].before);
  EXPECT_EQ((*back)[1].before, "");
}

TEST(EtcdRecord, RefusesWhatIsNone) {
  for (auto text : {"", "[]", "{}", R"({"keys":7})", "{"}) EXPECT_FALSE(read_head(text)) << text;
  for (auto text : {"-", "5:ab-", "99999999999:a-", ":-", "x", "3:abc", "--1"})
    EXPECT_FALSE(read_values(text)) << text;
  EXPECT_TRUE(read_values("")->empty());
}

TEST(EtcdRecord, RevisionsOfOthersStandInTheId) {
  EXPECT_EQ(revision_of_outside(outside_id(42)), 42);
  EXPECT_FALSE(revision_of_outside(own_id(42)));
  EXPECT_LT(own_id(9), own_id(10));
}

TEST(HistoryIndex, KnowsWhoToldWhat) {
  HistoryIndex index;
  const Head head{.at_ms = 1, .author = {}, .note = {}, .size = 10, .keys = {{"routes/1", false, true}}};
  const auto put = [&](std::string key, std::string value, Revision revision) {
    index.apply(
        {.revision = revision, .key = std::move(key), .value = std::move(value), .created = revision});
  };
  put("since", "3", 4);
  put("records/a", to_text(head), 5);
  put("records/" + outside_id(7), to_text(head), 9);
  put("records/broken", "{", 10);
  EXPECT_EQ(index.since(), 3);
  EXPECT_TRUE(index.tells(5, "routes/1"));
  EXPECT_FALSE(index.tells(5, "routes/2"));
  EXPECT_TRUE(index.tells(7, "routes/1"));
  EXPECT_EQ(index.latest_of("routes/1", 0)->first, 7);
  EXPECT_EQ(index.latest_of("routes/1", 7), nullptr);
  EXPECT_EQ(index.over({.revisions_max = 1}, 2), 1u);
  EXPECT_EQ(index.over({.bytes_max = 19}, 2), 1u);
  EXPECT_EQ(index.over({.bytes_max = 20}, 2), 0u);
  EXPECT_EQ(index.over({.age_max = std::chrono::milliseconds(5)}, 100), 1u);
  index.apply({.revision = 11, .key = "records/a"});
  EXPECT_EQ(index.records().size(), 1u);
  EXPECT_EQ(index.over({.bytes_max = 10}, 2), 0u);
}

}  // namespace
}  // namespace sluice::store::etcd
