// SPDX-License-Identifier: Apache-2.0
#include "admin/transactions.h"

#include <gtest/gtest.h>

#include "admin/testing.h"

namespace sluice::admin {
namespace {

class TransactionTest : public testing::TestWithParam<bool>, protected TestApi {
 protected:
  TransactionTest() : TestApi(GetParam()) {}

  std::string transact(std::string operations, std::string query = {}) {
    return call("POST", "transactions" + query, R"({"operations":[)" + operations + "]}");
  }
  // "STATUS path what; path what; …"
  static std::string problems(const std::string& answer) {
    std::string text = answer.substr(0, 3);
    auto body = json::parse(answer.substr(4));
    const Value* list = body ? body->find("problems") : nullptr;
    if (!list) return answer;
    for (const auto& problem : list->as_array())
      text.append(" ").append(problem.text("path")).append(" ").append(problem.text("what")).append(";");
    return text;
  }
  std::int64_t revision() { return value("status").find("stored_revision")->as_int(); }
};

INSTANTIATE_TEST_SUITE_P(Both, TransactionTest, testing::Bool(),
                         [](const auto& about) { return about.param ? "Sqlite" : "Memory"; });

constexpr auto upstream = R"({"nodes":{"127.0.0.1:80":1}})";

std::string put(std::string resource, std::string body) {
  return R"({"op":"put","resource":")" + std::move(resource) + R"(","value":)" + std::move(body) + "}";
}
std::string remove(std::string resource) {
  return R"({"op":"delete","resource":")" + std::move(resource) + R"("})";
}

TEST_P(TransactionTest, AllIsStoredInOneRevision) {
  EXPECT_EQ(
      transact(put("routes/1", R"({"uri":"/","upstream_id":"u"})") + "," + put("upstreams/u", upstream)),
      R"(200 {"revision":1,"changes":[{"resource":"routes/1","action":"create"},)"
      R"({"resource":"upstreams/u","action":"create"}]})");
  EXPECT_EQ(value("history/1").text("note"), "transaction of 2 operations");
  // What refers and what it refers to go together; a patch sees what stands before it.
  EXPECT_EQ(transact(remove("upstreams/u") + "," + put("routes/1", R"({"uri":"/a"})") + "," +
                     R"({"op":"patch","resource":"routes/1/desc","value":"x"},)" +
                     R"({"op":"patch","resource":"routes/1","value":{"name":"n","plugins":{}}})"),
            R"(200 {"revision":2,"changes":[{"resource":"upstreams/u","action":"delete"},)"
            R"({"resource":"routes/1","action":"update"}]})");
  auto route = *value("routes/1").find("value");
  EXPECT_EQ(route.text("uri"), "/a");
  EXPECT_EQ(route.text("desc"), "x");
  EXPECT_EQ(route.text("name"), "n");
  EXPECT_TRUE(route.find("create_time"));
  EXPECT_EQ(transact(remove("routes/1") + "," + put("routes/1", R"({"uri":"/b","plugins":{}})")).substr(0, 4),
            "200 ");
}

TEST_P(TransactionTest, OrNothingWithEveryProblemAtOnce) {
  call("PUT", "upstreams/u", upstream);
  call("PUT", "routes/1", R"({"uri":"/","upstream_id":"u"})");
  call("PUT", "services/s", R"({"upstream_id":"u"})");
  EXPECT_EQ(
      problems(transact(put("routes/2", R"({"uri":"/","upstream_id":"v"})") + "," +
                        put("routes/3", R"({"uri":1,"plugins":{"sample":{"count":0}}})") + "," +
                        remove("routes/9") + "," + R"({"op":"patch","resource":"routes/8","value":{}})")),
      "400 /operations/2/resource is not there; /operations/3/resource is not there; "
      "/operations/0/value/upstream_id there is no upstream v; "
      "/operations/1/value/uri must be of type string, not integer; "
      "/operations/1/value/plugins/sample/count must be at least 1, not 0;");
  EXPECT_EQ(problems(transact(put("upstreams/w", upstream) + "," + remove("upstreams/u"))),
            "400 /operations/1 can not delete this upstream, route [1] is still using it now;");
  EXPECT_EQ(
      problems(transact(remove("upstreams/u") + "," + put("routes/1", R"({"uri":"/","service_id":"s"})"))),
      "400 /operations/0 can not delete this upstream, service [s] is still using it now;");
  EXPECT_EQ(
      problems(transact(remove("upstreams/u") + "," + put("routes/4", R"({"uri":"/","upstream_id":"u"})"))),
      "400 /operations/1/value/upstream_id there is no upstream u;");
  EXPECT_EQ(revision(), 3);
}

TEST_P(TransactionTest, SeveralRemovalsThatAreRefusedAreAllNamed) {
  for (auto id : {"a", "b"}) {
    call("PUT", std::string("upstreams/") + id, upstream);
    call("PUT", std::string("routes/") + id, R"({"uri":"/","upstream_id":")" + std::string(id) + R"("})");
  }
  EXPECT_EQ(problems(transact(remove("upstreams/a") + "," + remove("upstreams/b"))),
            "400 /operations/0 can not delete this upstream, route [a] is still using it now; "
            "/operations/1 can not delete this upstream, route [b] is still using it now;");
  EXPECT_EQ(revision(), 4);
}

TEST_P(TransactionTest, RefusesWhatIsNoTransaction) {
  struct {
    std::string_view body, problems;
  } cases[]{
      {"{}", "400 /operations must be a list of operations;"},
      {R"({"operations":{}})", "400 /operations must be a list of operations;"},
      {R"({"operations":[],"x":1})", "400 /x is none of operations, if_revision;"},
      {R"({"operations":[],"if_revision":-1})",
       "400 /if_revision must be a revision: a whole number, 0 or more;"},
      {R"([1])", "400 /operations/0 must be an object with op, resource and value;"},
      {R"([{}])",
       "400 /operations/0/op must be put, patch or delete; /operations/0/resource '' is no resource: "
       "write routes/1; /operations/0/value is required, except to delete;"},
      {R"([{"op":"put","resource":"routes","value":{}}])",
       "400 /operations/0/resource must name one route: write routes/1;"},
      {R"([{"op":"put","resource":"routes/1/uri","value":{}}])",
       "400 /operations/0/resource 'routes/1/uri' is no resource: write routes/1;"},
      {R"([{"op":"patch","resource":"consumers/a","value":{}}])",
       "400 /operations/0/op a consumer cannot be patched: put it;"},
      {R"([{"op":"put","resource":"routes/1","value":{"id":2},"vaule":1}])",
       "400 /operations/0/vaule is none of op, resource, value, if_revision;"},
      {R"([{"op":"put","resource":"routes/1","value":{"id":2}}])", "400 /operations/0/value wrong route id;"},
      {R"([{"op":"put","resource":"routes/1","value":7}])",
       "400 /operations/0/value must be of type object, not integer;"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(problems(call("POST", "transactions", std::string(c.body))), c.problems);
  std::string many;
  for (std::size_t i = 0; i <= Transactions::operations_max; ++i) many += (i ? ",1" : "1");
  EXPECT_EQ(problems(transact(many)), "400 /operations are 10001: one transaction takes 10000 at most;");
  EXPECT_EQ(
      error_of(call("POST", "transactions", std::string(Transactions::body_max + 1, ' '))),
      "400 invalid request body: request size 16777217 is greater than the maximum size 16777216 allowed");
  EXPECT_EQ(call("GET", "transactions").substr(0, 4), "404 ");
  EXPECT_EQ(revision(), 0);
}

TEST_P(TransactionTest, OnlyIfNothingHasChanged) {
  call("PUT", "routes/1", R"({"uri":"/a","plugins":{}})");
  call("PUT", "routes/2", R"({"uri":"/b","plugins":{}})");
  const std::string list = put("routes/1", R"({"uri":"/c","plugins":{}})");
  EXPECT_EQ(problems(call("POST", "transactions", R"({"if_revision":1,"operations":[)" + list + "]}")),
            "409 /if_revision the store has been written to since revision 1: it is at 2;");
  EXPECT_EQ(call("POST", "transactions", R"({"if_revision":2,"operations":[)" + list + "]}").substr(0, 4),
            "200 ");
  const std::string one = R"({"op":"delete","resource":"routes/1","if_revision":)";
  EXPECT_EQ(problems(transact(one + "1}")),
            "409 /operations/0/if_revision it was written last in revision 3;");
  EXPECT_EQ(transact(one + "3}").substr(0, 4), "200 ");
  EXPECT_EQ(problems(transact(
                R"({"op":"put","resource":"routes/2","value":{"uri":"/","plugins":{}},"if_revision":0})")),
            "409 /operations/0/if_revision it was written last in revision 2;");
  EXPECT_EQ(transact(R"({"op":"put","resource":"routes/3","value":{"uri":"/","plugins":{}},"if_revision":0})")
                .substr(0, 4),
            "200 ");
}

TEST_P(TransactionTest, ConsumersAndTheirCredentials) {
  const auto known_by = [](std::string key) { return R"({"plugins":{"sample":{"key":")" + key + R"("}}})"; };
  EXPECT_EQ(transact(put("consumers/a/credentials/1", known_by("k")) + "," +
                     put("consumers/a", R"({"username":"a"})"))
                .substr(0, 4),
            "200 ");
  EXPECT_EQ(problems(transact(put("consumers/b/credentials/1", known_by("l")))),
            "400 /operations/0/value consumer [b] is not there;");
  EXPECT_EQ(
      problems(transact(put("consumers/b", R"({"username":"b","plugins":{"sample":{"key":"m"}}})") + "," +
                        put("consumers/c", R"({"username":"c","plugins":{"sample":{"key":"m"}}})"))),
      "400 /operations/1/value/plugins/sample must be unique, and is that of consumer: b;");
  EXPECT_EQ(transact(remove("consumers/a")),
            R"(200 {"revision":2,"changes":[{"resource":"consumers/a","action":"delete"},)"
            R"({"resource":"consumers/a/credentials/1","action":"delete"}]})");
}

// What is taken away in the same transaction is free.
TEST_P(TransactionTest, ACredentialMayGoFromOneConsumerToAnother) {
  plugin::Consumer owner;
  owner.name = "a";
  validator_.find_owner = [&owner](const PluginType&, std::string_view credential) {
    return credential == "k" ? &owner : nullptr;
  };
  const auto body = [](std::string name) {
    return R"({"username":")" + name + R"(","plugins":{"sample":{"key":"k"}}})";
  };
  call("PUT", "consumers", body("a"));
  EXPECT_EQ(problems(transact(put("consumers/b", body("b")))),
            "400 /operations/0/value/plugins/sample must be unique, and is that of consumer: a;");
  EXPECT_EQ(transact(put("consumers/b", body("b")) + "," + remove("consumers/a")).substr(0, 4), "200 ");
}

TEST_P(TransactionTest, APluginStandsInOneGlobalRule) {
  const std::string rule = R"({"plugins":{"sample":{"count":1}}})";
  EXPECT_EQ(problems(transact(put("global_rules/1", rule) + "," + put("global_rules/2", rule))),
            "400 /operations/1/value/plugins plugin 'sample' already exists in global rule with id '1';");
  call("PUT", "global_rules/1", rule);
  EXPECT_EQ(transact(put("global_rules/2", rule) + "," + remove("global_rules/1")).substr(0, 4), "200 ");
}

TEST_P(TransactionTest, ATrialTellsWhatWouldChange) {
  call("PUT", "routes/1", R"({"uri":"/a","plugins":{}})");
  const auto changes = [](const std::string& answer) {
    auto body = *json::parse(answer.substr(4));
    EXPECT_TRUE(body.find("dry_run")) << answer;
    return body.find("changes") ? *body.find("changes") : Value();
  };
  auto told = changes(transact(put("routes/1", R"({"uri":"/b","plugins":{}})"), "?dry_run=true"));
  EXPECT_EQ(json::dump(*told.as_array().at(0).find("diff")),
            R"([{"path":"/uri","before":"/a","after":"/b"}])");
  told = changes(call("PATCH", "routes/1?dry_run=true", R"({"uri":"/c"})"));
  EXPECT_EQ(told.as_array().at(0).text("action"), "update");
  told = changes(call("PUT", "routes/2?dry_run=true", R"({"uri":"/c","plugins":{}})"));
  EXPECT_EQ(told.as_array().at(0).text("action"), "create");
  told = changes(call("DELETE", "routes/1?dry_run=true"));
  EXPECT_EQ(told.as_array().at(0).find("before")->text("uri"), "/a");
  told = changes(call("POST", "history/0/rollback?dry_run=true"));
  EXPECT_EQ(told.as_array().at(0).text("action"), "delete");
  EXPECT_EQ(revision(), 1);
}

// ---- going back ----

TEST_P(TransactionTest, RollsBackEverythingAndForwardAgain) {
  call("PUT", "upstreams/u", upstream);
  call("PUT", "routes/1", R"({"uri":"/a","upstream_id":"u"})");
  const auto before = call("GET", "routes/1");
  call("PUT", "routes/1", R"({"uri":"/b","plugins":{}})");
  call("DELETE", "upstreams/u");
  EXPECT_EQ(call("POST", "history/2/rollback"),
            R"(200 {"revision":5,"changes":[{"resource":"routes/1","action":"update"},)"
            R"({"resource":"upstreams/u","action":"create"}]})");
  EXPECT_EQ(value("routes/1").find("value")->text("uri"), "/a");
  EXPECT_EQ(value("history/diff?from=2&to=5").find("changes")->as_array().size(), 0u);
  EXPECT_EQ(value("history/5").text("note"), "rollback to revision 2");
  EXPECT_EQ(value("history/5").text("author"), "boss");
  EXPECT_EQ(call("POST", "history/4/rollback").substr(0, 20), R"(200 {"revision":6,"c)");
  EXPECT_EQ(value("routes/1").find("value")->text("uri"), "/b");
  EXPECT_EQ(call("GET", "upstreams/u").substr(0, 4), "404 ");
  EXPECT_EQ(call("POST", "history/0/rollback").substr(0, 20), R"(200 {"revision":7,"c)");
  EXPECT_EQ(value("routes").find("total")->as_int(), 0);
  EXPECT_EQ(call("POST", "history/0/rollback"), R"(200 {"revision":7,"changes":[]})");
}

TEST_P(TransactionTest, RollsBackOneResource) {
  call("PUT", "upstreams/u", upstream);
  call("PUT", "routes/1", R"({"uri":"/a","upstream_id":"u"})");
  call("PUT", "routes/10", R"({"uri":"/z","plugins":{}})");
  call("PUT", "routes/1", R"({"uri":"/b","plugins":{}})");
  call("DELETE", "upstreams/u");
  EXPECT_EQ(problems(call("POST", "history/2/rollback?resource=routes/1")),
            "400 /routes/1/upstream_id there is no upstream u;");
  EXPECT_EQ(call("POST", "history/2/rollback?resource=upstreams/u").substr(0, 4), "200 ");
  EXPECT_EQ(call("POST", "history/2/rollback?resource=routes/1"),
            R"(200 {"revision":7,"changes":[{"resource":"routes/1","action":"update"}]})");
  EXPECT_EQ(value("routes/10").find("value")->text("uri"), "/z");
  EXPECT_EQ(problems(call("POST", "history/0/rollback?resource=upstreams")),
            "400 /upstreams/u can not delete this upstream, route [1] is still using it now;");
}

TEST_P(TransactionTest, ARollbackSaysWhyNot) {
  EXPECT_EQ(error_of(call("POST", "history/3/rollback")), "404 there is no revision 3: the latest is 0");
  EXPECT_EQ(error_of(call("POST", "history/x/rollback")), "404 'x' is no revision");
  EXPECT_EQ(error_of(call("POST", "history/0/rollback?resource=x")),
            "400 invalid argument resource: 'x' is no kind of resource, as routes or routes/1");
  EXPECT_EQ(call("POST", "history/0").substr(0, 4), "404 ");
  EXPECT_EQ(call("DELETE", "history/0/rollback").substr(0, 4), "404 ");
}

}  // namespace
}  // namespace sluice::admin
