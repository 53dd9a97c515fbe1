// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_record.h"

#include <gtest/gtest.h>

#include "store/history_index.h"

namespace sluice::store::etcd {
namespace {

TEST(EtcdRecord, IsReadAsItWasWritten) {
  const Head head{
      .at_ms = 17, .author = {"a\"b", "::1"}, .note = "n", .size = 9, .keys = {{"routes/1", false, true}}};
  const auto read = read_heads(to_text(head));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(read->at(0).revision, 0);
  EXPECT_EQ(read->at(0).at_ms, 17);
  EXPECT_EQ(read->at(0).author.name, "a\"b");
  EXPECT_EQ(read->at(0).size, 9);
  ASSERT_EQ(read->at(0).keys.size(), 1u);
  EXPECT_TRUE(read->at(0).keys[0].exists);
  EXPECT_FALSE(read->at(0).keys[0].existed);
  const auto several = read_heads(to_text(std::vector<Head>{{.revision = 4}, {.revision = 6}}));
  ASSERT_TRUE(several);
  ASSERT_EQ(several->size(), 2u);
  EXPECT_EQ(several->at(1).revision, 6);
  const std::vector<Values> values{{std::nullopt, std::string("\xff\0-:", 4)}, {"", std::nullopt}};
  const auto back = read_values(to_text(values));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].after, values[0].after);
  EXPECT_FALSE((*back)[0].before);
  EXPECT_EQ((*back)[1].before, "");
}

TEST(EtcdRecord, RefusesWhatIsNone) {
  for (auto text : {"", "[]", "{}", R"({"keys":7})", "{", "[7]", R"([{"keys":[]},{"keys":[]}])"})
    EXPECT_FALSE(read_heads(text)) << text;
  for (auto text : {"-", "5:ab-", "99999999999:a-", ":-", "x", "3:abc", "--1"})
    EXPECT_FALSE(read_values(text)) << text;
  EXPECT_TRUE(read_values("")->empty());
}

TEST(EtcdRecord, IdsAreInOrder) {
  EXPECT_LT(own_id(9), own_id(10));
  EXPECT_LT(outside_id(9), outside_id(10));
  EXPECT_LT(own_id(9), outside_id(10));
}

class HistoryIndexTest : public testing::Test {
 protected:
  static Head head(Revision revision, std::string key, std::int64_t size = 10) {
    return {.revision = revision, .at_ms = 1, .size = size, .keys = {{std::move(key), false, true}}};
  }
  void put(std::string key, std::string value, Revision revision) {
    index_.apply(
        {.revision = revision, .key = std::move(key), .value = std::move(value), .created = revision});
  }
  using Ids = std::vector<std::string>;
  Ids beyond(const HistoryLimits& limits, std::int64_t now_ms = 2, std::size_t most = 50) {
    return index_.beyond(limits, now_ms, most).ids;
  }
  HistoryIndex index_;
};

TEST_F(HistoryIndexTest, KnowsWhoToldWhat) {
  put("since", "3", 4);
  put("records/a", to_text(head(0, "routes/1")), 5);
  put("records/o", to_text(std::vector{head(7, "routes/1")}), 9);
  put("records/broken", "{", 10);
  EXPECT_EQ(index_.since(), 3);
  EXPECT_TRUE(index_.tells(5, "routes/1"));
  EXPECT_FALSE(index_.tells(5, "routes/2"));
  EXPECT_TRUE(index_.tells(7, "routes/1"));
  EXPECT_EQ(index_.latest_of("routes/1", 0)->first, 7);
  EXPECT_EQ(index_.latest_of("routes/1", 7), nullptr);
  EXPECT_EQ(beyond({.revisions_max = 1}), Ids{"a"});
  EXPECT_EQ(beyond({.bytes_max = 19}), Ids{"a"});
  EXPECT_EQ(beyond({.bytes_max = 20}), Ids());
  EXPECT_EQ(beyond({.age_max = std::chrono::milliseconds(5)}, 100), Ids{"a"});
  index_.apply({.revision = 11, .key = "records/a"});
  EXPECT_EQ(index_.records().size(), 1u);
  EXPECT_EQ(beyond({.bytes_max = 10}), Ids());
}

TEST_F(HistoryIndexTest, ARecordMayTellOfSeveralRevisions) {
  put("records/o", to_text(std::vector{head(3, "routes/1"), head(4, "routes/2"), head(6, "routes/1")}), 7);
  put("records/a", to_text(head(0, "routes/1")), 8);
  put("records/b", to_text(head(0, "routes/1")), 9);
  EXPECT_TRUE(index_.tells(4, "routes/2"));
  EXPECT_EQ(index_.records().at(6).first, 2u);
  EXPECT_EQ(index_.records().at(6).id, "o");
  EXPECT_EQ(beyond({.revisions_max = 4}), Ids()) << "a part of it is not forgotten";
  EXPECT_EQ(beyond({.revisions_max = 2}), Ids{"o"});
  EXPECT_EQ(index_.beyond({.revisions_max = 2}, 2, 50).until, 6);
  EXPECT_EQ(beyond({.revisions_max = 0}), (Ids{"o", "a"})) << "the latest stays";
  EXPECT_EQ(beyond({.revisions_max = 0}, 2, 1), Ids{"o"});
  EXPECT_EQ(beyond({.bytes_max = 25}), Ids{"o"});
  index_.apply({.revision = 10, .key = "records/o"});
  EXPECT_EQ(index_.records().size(), 2u);
  EXPECT_EQ(beyond({.bytes_max = 20}), Ids());
}

// As nobody writes it: not in order, and twice the same.
TEST_F(HistoryIndexTest, TakesAnyRecord) {
  put("records/o", to_text(std::vector{head(6, "routes/1"), head(3, "routes/2"), head(6, "routes/3")}), 7);
  put("records/p", to_text(std::vector{head(3, "routes/1")}), 8);
  EXPECT_EQ(index_.records().size(), 2u);
  EXPECT_EQ(index_.records().at(3).id, "o");
  (void)beyond({.revisions_max = 0});
  index_.apply({.revision = 10, .key = "records/p"});
  index_.apply({.revision = 11, .key = "records/o"});
  EXPECT_TRUE(index_.records().empty());
}

}  // namespace
}  // namespace sluice::store::etcd
