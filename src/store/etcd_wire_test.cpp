// SPDX-License-Identifier: Apache-2.0
// etcd's JSON as it comes over the wire, and what is no such thing.
#include "store/etcd_wire.h"

#include <gtest/gtest.h>

#include "json/text.h"

namespace sluice::store::etcd {
namespace {

json::Value parsed(std::string_view text) { return *json::parse(text); }

TEST(EtcdWire, ReadsARange) {
  const auto range =
      read_range(parsed(R"({"header":{"cluster_id":"9","revision":"12"},"more":true,"count":"2",
    "kvs":[{"key":"L2E=","create_revision":"3","mod_revision":"12","version":"2","value":"MQ=="}]})"));
  ASSERT_TRUE(range);
  EXPECT_EQ(range->revision, 12);
  EXPECT_EQ(range->cluster, "9");
  EXPECT_TRUE(range->more);
  ASSERT_EQ(range->entries.size(), 1u);
  EXPECT_EQ(range->entries[0].key, "/a");
  EXPECT_EQ(range->entries[0].value, "1");
  EXPECT_EQ(range->entries[0].created, 3);
  EXPECT_EQ(range->entries[0].modified, 12);
}

TEST(EtcdWire, FindsTheLastKeyAtAGlance) {
  const std::string two = R"("kvs":[{"key":"L2E=","value":""},{"key":"L2I=","value":"MQ=="}])";
  EXPECT_EQ(glance_at_last_key(R"({"header":{},)" + two + R"(,"more":true,"count":"9"})"), "/b");
  for (auto text :
       {"", "{}", R"("more":true)", R"({"kvs":[{"key":"L2E="}],"count":"1"})", R"({"key":"***","more":true})",
        R"({"key":"","more":true})", R"({"more":true,"key":")", R"({"key":3,"more":true})"})
    EXPECT_FALSE(glance_at_last_key(text)) << text;
}

TEST(EtcdWire, RefusesWhatIsNoAnswer) {
  for (auto text : {R"([])", R"({})", R"({"header":{"revision":"x"}})", R"({"header":{"revision":"-1"}})",
                    R"({"header":{"revision":"1"},"kvs":{}})", R"({"header":{"revision":"1"},"kvs":[{}]})",
                    R"({"header":{"revision":"1"},"kvs":[{"key":"***"}]})",
                    R"({"header":{"revision":"1"},"more":1})"})
    EXPECT_FALSE(read_range(parsed(text))) << text;
  for (auto text : {R"({"header":{"revision":"1"},"responses":3})",
                    R"({"header":{"revision":"1"},"responses":[{}]})",
                    R"({"header":{"revision":"1"},"succeeded":"yes"})"})
    EXPECT_FALSE(read_transaction(parsed(text))) << text;
  for (auto text :
       {"", "{", "{}", R"({"result":3})", R"({"result":{"events":3}})", R"({"result":{"events":[{}]}})",
        R"({"result":{"events":[{"type":"A","kv":{"key":"YQ=="}}]}})"})
    EXPECT_FALSE(read_watch(text)) << text;
}

TEST(EtcdWire, ReadsATransactionOfEveryOperation) {
  const auto answer = read_transaction(parsed(R"({"header":{"revision":"8"},"succeeded":true,"responses":[
    {"response_put":{"header":{},"prev_kv":{"key":"YQ==","create_revision":"2"}}},
    {"response_put":{"header":{}}},
    {"response_delete_range":{"deleted":"1","prev_kvs":[{"key":"Yg=="}]}},{"response_range":{"kvs":[]}}]})"));
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->found.size(), 4u);
  EXPECT_EQ(answer->found[0].at(0).created, 2);
  EXPECT_TRUE(answer->found[1].empty());
  EXPECT_EQ(answer->found[2].at(0).key, "b");
}

TEST(EtcdWire, ReadsAWatch) {
  auto line = read_watch(R"({"result":{"header":{"revision":"5","cluster_id":"9"},"created":true}})");
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->created);
  EXPECT_EQ(line->revision, 5);
  line = read_watch(R"({"result":{"header":{"revision":"7"},"events":[
    {"kv":{"key":"YQ==","value":"MQ==","create_revision":"6","mod_revision":"6"}},
    {"type":"DELETE","kv":{"key":"YQ==","mod_revision":"7"}}]}})");
  ASSERT_TRUE(line);
  ASSERT_EQ(line->changes.size(), 2u);
  EXPECT_EQ(line->changes[0].value, "1");
  EXPECT_FALSE(line->changes[1].value);
  EXPECT_EQ(line->changes[1].revision, 7);
  line = read_watch(R"({"result":{"canceled":true,"compact_revision":"90"}})");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->compacted, 90);
  line = read_watch(R"({"error":{"grpc_code":16,"message":"invalid auth token"}})");
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->canceled);
  EXPECT_EQ(line->reason, "invalid auth token");
}

TEST(EtcdWire, KnowsARefusalOfEveryVersion) {
  const auto old = refusal_of(401, parsed(R"({"error":"etcdserver: invalid auth token","code":16})"));
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->token_is_bad());
  const auto fresh = refusal_of(503, parsed(R"({"code":14,"message":"etcdserver: no leader","details":[]})"));
  ASSERT_TRUE(fresh);
  EXPECT_TRUE(fresh->elsewhere());
  EXPECT_EQ(refusal_of(404, parsed("7"))->what, "HTTP status 404");
  EXPECT_FALSE(refusal_of(200, parsed(R"({"header":{}})")));
}

TEST(EtcdWire, CutsAStreamIntoLines) {
  Lines lines(10);
  EXPECT_TRUE(lines.add("ab"));
  EXPECT_FALSE(lines.next());
  EXPECT_TRUE(lines.add("c\n\nde"));
  EXPECT_EQ(lines.next(), "abc");
  EXPECT_EQ(lines.next(), "");
  EXPECT_FALSE(lines.next());
  EXPECT_EQ(lines.rest(), "de");
  EXPECT_TRUE(lines.add("fghijkl"));
  EXPECT_FALSE(lines.add("mn"));
}

TEST(EtcdWire, APrefixEndsBeforeTheNextOne) {
  EXPECT_EQ(below("/apisix/").end, "/apisix0");
  EXPECT_EQ(below("a\xff").end, "b");
  EXPECT_EQ(below("\xff").end, std::string(1, '\0'));
}

}  // namespace
}  // namespace sluice::store::etcd
