// SPDX-License-Identifier: Apache-2.0
#include "admin/history.h"

#include <gtest/gtest.h>

#include "admin/revision_text.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

TEST(RevisionText, Times) {
  EXPECT_EQ(time_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(time_text(1'700'003'600'007), "2023-11-14T23:13:20.007Z");
  EXPECT_EQ(parse_time("2023-11-14T23:13:20.007Z"), 1'700'003'600'007);
  EXPECT_EQ(parse_time("2023-11-14T23:13:20Z"), 1'700'003'600'000);
  for (auto text : {"", "2023", "2023-11-14", "2023-11-14T23:13:20", "2023-02-30T00:00:00Z",
                    "2023-11-14T24:13:20Z", "2023-11-14T23:13:20+01:00", "2023-11-14T23:13:20.Z",
                    "2023-11-14T23:13:20.0000000000007Z", "2023-+1-14T23:13:20Z", "2023-11-14T23:13:20.1e9Z"})
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
}

TEST(RevisionText, AChangeIsToldWithItsDifference) {
  EXPECT_EQ(json::dump(describe_change("/apisix/routes/1", R"({"a":1})", R"({"a":2})")),
            R"({"resource":"routes/1","action":"update","before":{"a":1},"after":{"a":2},)"
            R"("diff":[{"path":"/a","before":1,"after":2}]})");
  EXPECT_EQ(json::dump(describe_change("/apisix/routes/1", {}, "{")),
            R"({"resource":"routes/1","action":"create","after":"{"})");
  EXPECT_EQ(json::dump(describe_change("/apisix/routes/1", "{}", {})),
            R"({"resource":"routes/1","action":"delete","before":{}})");
}

TEST(RevisionText, WhatIsNotReadIsNotTold) {
  EXPECT_EQ(json::dump(describe_change("/apisix/ssls/1", R"({"key":"old","sni":"a"})",
                                       R"({"key":"new","sni":"a"})")),
            R"({"resource":"ssls/1","action":"update","before":{"sni":"a"},"after":{"sni":"a"},)"
            R"("diff":[{"path":"/key","hidden":true}]})");
}

TEST(Changes, ManyRecordsOfAKeyAreOneChange) {
  Changes changes;
  const auto record = [](std::string key, std::optional<std::string> before,
                         std::optional<std::string> after) {
    store::Record made;
    made.key = std::move(key);
    made.before = std::move(before);
    made.after = std::move(after);
    return made;
  };
  changes.add(record("a", "3", "4"));
  changes.add(record("b", "1", {}));
  changes.add(record("c", "7", "8"));
  changes.add(record("c", "8", "7"));
  changes.add(record("b", {}, "1"));
  changes.add(record("a", "2", "3"));
  auto taken = changes.take();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken["a"].before, "2");
  EXPECT_EQ(taken["a"].after, "4");
}

}  // namespace
}  // namespace sluice::admin
