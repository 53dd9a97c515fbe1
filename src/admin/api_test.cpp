// SPDX-License-Identifier: Apache-2.0
// The Admin API over both stores: each case is a call and what comes back.
#include "admin/testing.h"

#include <gtest/gtest.h>

namespace sluice::admin {
namespace {

class ApiTest : public testing::TestWithParam<bool>, protected TestApi {
 protected:
  ApiTest() : TestApi(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(Both, ApiTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Sqlite" : "Memory"; });

constexpr auto route_body = R"({"uri":"/a","upstream":{"nodes":{"127.0.0.1:80":1}}})";

TEST_P(ApiTest, PutGetAndDelete) {
  auto created = call("PUT", "routes/1", route_body);
  EXPECT_EQ(created,
            R"(201 {"key":"/apisix/routes/1","value":{"uri":"/a","upstream":{"nodes":{"127.0.0.1:80":1}},)"
            R"("id":"1","create_time":1700003600,"update_time":1700003600}})");
  clock_.advance(std::chrono::seconds(100));
  auto again = call("PUT", "routes", R"({"id":1,"uri":"/b","upstream":{"nodes":{"127.0.0.1:80":1}}})");
  EXPECT_EQ(
      again,
      R"(200 {"key":"/apisix/routes/1","value":{"id":1,"uri":"/b","upstream":{"nodes":{"127.0.0.1:80":1}},)"
      R"("create_time":1700003600,"update_time":1700003700}})");
  auto found = value("routes/1");
  EXPECT_EQ(found.find("createdIndex")->as_int(), 1);
  EXPECT_EQ(found.find("modifiedIndex")->as_int(), 2);
  EXPECT_EQ(found.find("value")->text("uri"), "/b");
  EXPECT_EQ(call("DELETE", "routes/1"), R"(200 {"deleted":"1","key":"/apisix/routes/1"})");
  EXPECT_EQ(call("DELETE", "routes/1"), R"(404 {"message":"Key not found"})");
  EXPECT_EQ(call("GET", "routes/1"), R"(404 {"message":"Key not found"})");
  EXPECT_EQ(call("GET", "routes"), R"(200 {"list":[],"total":0})");
}

TEST_P(ApiTest, PostGivesAnId) {
  auto created = call("POST", "upstreams", R"({"nodes":{"a.com:80":1}})");
  EXPECT_EQ(created.substr(0, 57), R"(201 {"key":"/apisix/upstreams/00000000000000000001","valu)");
  EXPECT_EQ(value("upstreams/00000000000000000001").find("value")->text("id"), "00000000000000000001");
}

TEST_P(ApiTest, PatchMergesOrWalks) {
  call("PUT", "routes/1",
       R"({"uri":"/a","labels":{"a":"1","b":"2"},"methods":["GET"],"plugins":{"sample":{"count":1}}})");
  clock_.advance(std::chrono::seconds(5));
  EXPECT_EQ(call("PATCH", "routes/1", R"({"labels":{"a":null,"c":"3"},"methods":["PUT"]})").substr(0, 4),
            "200 ");
  EXPECT_EQ(call("PATCH", "routes/1/plugins/sample/count", "5").substr(0, 4), "200 ");
  auto route = *value("routes/1").find("value");
  EXPECT_EQ(json::dump(*route.find("labels")), R"({"b":"2","c":"3"})");
  EXPECT_EQ(json::dump(*route.find("methods")), R"(["PUT"])");
  EXPECT_EQ(json::dump(*route.find("plugins")), R"({"sample":{"count":5}})");
  EXPECT_EQ(route.find("update_time")->as_int() - route.find("create_time")->as_int(), 5);
  EXPECT_EQ(
      error_of(call("PATCH", "routes/1/plugins/sample/count", "0")),
      "400 failed to check the configuration of plugin sample err: property \"count\" validation failed: "
      "expected 0 to be at least 1");
  EXPECT_EQ(error_of(call("PATCH", "routes/1/uri/x", "0")), "400 invalid sub-path: /uri");
  EXPECT_EQ(call("PATCH", "routes/2", "{}"), R"(404 {"message":"Key not found"})");
  EXPECT_EQ(error_of(call("PATCH", "routes/1", "5")), "400 invalid configuration");
  EXPECT_EQ(error_of(call("PATCH", "routes/1")), "400 missing new configuration");
  EXPECT_EQ(error_of(call("PATCH", "routes", "{}")), "400 missing route id");
}

struct Refusal {
  std::string_view method, path, body, answer;
};

const Refusal refusals[]{
    {"PUT", "routes/1", "{",
     "400 invalid request body: Expected object key string but found T_END at character 2"},
    {"PUT", "routes/1", "", "400 missing configurations"},
    {"PUT", "routes", "{}", "400 missing route id"},
    {"PUT", "plugin_configs", "{}", "400 missing plugin config id"},
    {"PUT", "routes/1", R"({"id":2,"uri":"/","plugins":{}})", "400 wrong route id"},
    {"POST", "routes", R"({"id":2,"uri":"/","plugins":{}})", "400 wrong route id, do not need it"},
    {"POST", "routes/1", R"({"uri":"/","plugins":{}})", "400 wrong route id, do not need it"},
    {"PUT", "routes/1", "[]", "400 invalid configuration: wrong type: expected object, got table"},
    {"PUT", "routes/a*b", route_body,
     "400 invalid configuration: property \"id\" validation failed: object matches none of the required"},
    {"PUT", "routes/1", R"({"uri":"/","upstream_id":"9"})",
     "400 failed to fetch upstream info by upstream id [9], response code: 404"},
    {"PUT", "routes/1", R"({"uri":"/","plugins":{},"plugin_config_id":"p"})",
     "400 failed to fetch plugin config info by plugin config id [p], response code: 404"},
    {"PUT", "consumers", R"({"username":"a","group_id":"g"})",
     "400 failed to fetch consumer group info by consumer group id [g], response code: 404"},
    {"PUT", "routes/1", R"({"uri":"/","plugins":{},"create_time":1})",
     "400 the property is forbidden:  create_time"},
    {"PUT", "routes/1", R"({"uri":"/","upstream":{"nodes":{},"update_time":1}})",
     "400 the property is forbidden:  upstream.update_time"},
    {"PUT", "consumers/b", R"({"username":"a"})", "400 wrong username"},
    {"PUT", "plugin_metadata", "{}", "400 missing plugin name"},
    {"PUT", "plugin_metadata/nothing", "{}", "400 invalid plugin name"},
    {"DELETE", "routes", "", "400 missing route id"},
    {"POST", "consumers", R"({"username":"a"})", "405 not supported `POST` method for consumer"},
    {"PATCH", "consumers/a", "{}", "405 not supported `PATCH` method for consumer"},
    {"POST", "plugin_metadata", "{}", "405 not supported `POST` method for plugin_metadata"},
    {"POST", "global_rules", "{}", "405 not supported `POST` method for global rule"},
    {"GET", "routs", "", "404 Unsupported resource type: routs"},
    {"GET", "routes?ttl=abc", "", "400 invalid argument ttl: should be a number"},
    {"OPTION", "routes", "", "404 not found"},
    {"GET", "schema/nothing", "", "400 not found schema: nothing"},
    {"GET", "plugins/nothing", "", "404 plugin not found in subsystem http"},
    {"GET", "plugins/sample?subsystem=asdf", "", "400 unsupported subsystem: asdf"},
    {"POST", "plugins/reload", "",
     "405 please use PUT method to reload the plugins, POST method is not allowed."},
};

TEST_P(ApiTest, Refusals) {
  for (const auto& c : refusals) {
    EXPECT_EQ(error_of(call(std::string(c.method), std::string(c.path), std::string(c.body))), c.answer)
        << c.method << " " << c.path << " " << c.body;
  }
  EXPECT_EQ(value("routes").find("total")->as_int(), 0);
}

TEST_P(ApiTest, EveryProblemAtOnce) {
  auto reply =
      ask({"PUT", "/apisix/admin/routes/1",
           R"({"uri":1,"upstream_id":"9","service_id":"8","nope":1,"plugins":{"sample":{"count":0}}})"});
  EXPECT_EQ(reply.status, 400);
  auto body = *json::parse(reply.body);
  std::string paths;
  for (const auto& problem : body.find("problems")->as_array())
    paths.append(problem.text("path")).append(" ");
  EXPECT_EQ(paths, "/uri /nope /plugins/sample/count /upstream_id /service_id ");
}

TEST_P(ApiTest, ASingleProblemLeavesTheBodyAsApisixHasIt) {
  auto reply = ask({"PUT", "/apisix/admin/upstreams/1", R"({"nodes":{"a:1":1},"type":"chash"})"});
  EXPECT_EQ(reply.body, "{\"error_msg\":\"missing key\"}\n");
  EXPECT_EQ(reply.headers[0].first + "=" + reply.headers[0].second,
            "X-Sluice-Problem=/key: is required when type is chash");
}

TEST_P(ApiTest, ReferencesAreKeptWhole) {
  call("PUT", "upstreams/1", R"({"nodes":{"a.com:80":1}})");
  call("PUT", "services/1", R"({"upstream_id":"1"})");
  call("PUT", "routes/5", R"({"uri":"/","service_id":1})");
  EXPECT_EQ(error_of(call("DELETE", "upstreams/1")),
            "400 can not delete this upstream, service [1] is still using it now");
  EXPECT_EQ(error_of(call("DELETE", "services/1")),
            "400 can not delete this service directly, route [5] is still using it now");
  EXPECT_EQ(call("DELETE", "services/1?dry_run=true&force=true").substr(0, 4), "200 ");
  EXPECT_EQ(call("DELETE", "services/1?force=true"), R"(200 {"deleted":"1","key":"/apisix/services/1"})");
  EXPECT_EQ(call("DELETE", "upstreams/1"), R"(200 {"deleted":"1","key":"/apisix/upstreams/1"})");
}

TEST_P(ApiTest, APluginStandsInOneGlobalRule) {
  EXPECT_EQ(call("PUT", "global_rules/1", R"({"plugins":{"sample":{"count":1}}})").substr(0, 4), "201 ");
  EXPECT_EQ(call("PUT", "global_rules/1", R"({"plugins":{"sample":{"count":2}}})").substr(0, 4), "200 ");
  EXPECT_EQ(error_of(call("PUT", "global_rules/2", R"({"plugins":{"sample":{"count":1}}})")),
            "400 plugin 'sample' already exists in global rule with id '1'");
}

TEST_P(ApiTest, ListsFilterAndPage) {
  call("PUT", "services/7", "{}");
  for (int i = 30; i > 0; --i) {
    auto n = std::to_string(i);
    call("PUT", "routes/" + n,
         R"({"name":"r)" + n + R"(","uris":["/u)" + n + R"("],"service_id":"7","labels":{"l)" +
             std::to_string(i % 2) + R"(":"x"}})");
  }
  auto count = [&](std::string query) { return value("routes" + query).find("list")->as_array().size(); };
  EXPECT_EQ(count(""), 30u);
  EXPECT_EQ(count("?name=^r1$"), 1u);
  EXPECT_EQ(count("?name=r1"), 11u);
  EXPECT_EQ(count("?uri=/u2."), 10u);
  EXPECT_EQ(count("?label=l1"), 15u);
  EXPECT_EQ(count("?filter=service_id%3D7"), 30u);
  EXPECT_EQ(count("?filter=service_id%3D8"), 0u);
  EXPECT_EQ(count("?filter=nonsense%3D8"), 30u);
  EXPECT_EQ(count("?page=1"), 30u);
  EXPECT_EQ(count("?page=3&page_size=10"), 10u);
  EXPECT_EQ(count("?page=4&page_size=10"), 0u);
  auto page = value("routes?page=1&page_size=10&label=l1");
  EXPECT_EQ(page.find("total")->as_int(), 15);
  EXPECT_EQ(page.find("list")->as_array()[0].text("key"), "/apisix/routes/29");
  EXPECT_EQ(call("GET", "routes?page=1&page_size=501"), "400 page_size must be between 10 and 500");
  EXPECT_EQ(call("GET", "routes?name=(").substr(0, 4), "400 ");
}

TEST_P(ApiTest, KeysAndRoles) {
  auto with = [&](std::string method, std::string target, std::string header, std::string key) {
    return ask(
        {std::move(method), "/apisix/admin/" + std::move(target), "", {{std::move(header), std::move(key)}}});
  };
  EXPECT_EQ(with("GET", "routes", "X-Other", "").body,
            "{\"error_msg\":\"failed to check token\",\"description\":\"missing apikey\"}\n");
  EXPECT_EQ(with("GET", "routes", "X-API-KEY", "wrong").body,
            "{\"error_msg\":\"failed to check token\",\"description\":\"wrong apikey\"}\n");
  EXPECT_EQ(with("GET", "routes", "X-API-KEY", "wrong").status, 401);
  EXPECT_EQ(with("GET", "routes", "x-api-key", std::string(viewer_key)).status, 200);
  EXPECT_EQ(with("DELETE", "routes/1", "x-api-key", std::string(viewer_key)).body,
            "{\"error_msg\":\"failed to check token\",\"description\":\"invalid method for role viewer\"}\n");
  EXPECT_EQ(with("GET", "routes?api_key=" + std::string(admin_key), "a", "b").status, 200);
  EXPECT_EQ(with("GET", "routes", "Cookie", "a=b; x_api_key=" + std::string(admin_key)).status, 200);
  EXPECT_EQ(ask({.target = "/apisix/admin/routes", .peer = *IpAddress::parse("10.0.0.1")}).status, 403);
  EXPECT_EQ(ask({"OPTIONS", "/apisix/admin/routes", "", {}}).status, 200);
  EXPECT_EQ(ask({"HEAD", "/apisix/admin", "", {}}).status, 200);
  EXPECT_EQ(ask({"GET", "/apisix/administrator"}).status, 404);
}

TEST_P(ApiTest, WaitAppliedAndDryRun) {
  EXPECT_EQ(call("PUT", "routes/1?dry_run=true", route_body).substr(0, 4), "201 ");
  EXPECT_EQ(call("GET", "routes/1").substr(0, 4), "404 ");
  EXPECT_EQ(call("PUT", "routes/1?wait=applied", route_body).substr(0, 4), "201 ");
  EXPECT_EQ(status_.asked, 1);
  status_.refuses = true;
  EXPECT_EQ(error_of(call("DELETE", "routes/1?wait=applied")),
            "504 stored as revision 2, but not yet applied in all workers: worker 1 is late");
  EXPECT_EQ(call("GET", "routes/1").substr(0, 4), "404 ");
}

TEST_P(ApiTest, BodiesAreBounded) {
  EXPECT_EQ(
      error_of(call("PUT", "routes/1", std::string(body_max + 1, ' '))),
      "400 invalid request body: request size 1572865 is greater than the maximum size 1572864 allowed");
  std::string many = R"({"uri":"/","plugins":{)";
  for (int i = 0; i < 100'000; ++i) many += (i ? ",\"p" : "\"p") + std::to_string(i) + "\":1";
  EXPECT_EQ(call("PUT", "routes/1", many + "}}").substr(0, 4), "400 ");
}

TEST_P(ApiTest, WarningsAreAnswered) {
  auto answer = call("PUT", "upstreams/1", R"({"nodes":{"a:1":1},"keepalive_pool":{"sise":3}})");
  EXPECT_NE(
      answer.find(
          R"("warnings":[{"path":"/keepalive_pool/sise","what":"is not a known field and has no effect; )"
          R"(did you mean \"size\"?"}])"),
      std::string::npos)
      << answer;
}

TEST_P(ApiTest, TellsAboutItself) {
  EXPECT_EQ(call("GET", "plugins/list"), R"(200 ["sample"])");
  EXPECT_EQ(call("GET", "plugins/list?subsystem=stream"), "200 []");
  EXPECT_EQ(call("GET", "plugins/list?subsystem=x"), "400 invalid subsystem passed");
  EXPECT_EQ(call("PUT", "plugins/reload"), "200 done");
  EXPECT_EQ(status_.taken_up, 1);
  EXPECT_EQ(value("plugins/sample").find("properties")->find("count")->text("type"), "integer");
  EXPECT_TRUE(value("schema/plugins/sample").find("properties")->find("_meta"));
  EXPECT_EQ(json::dump(*value("plugins/sample?schema_type=consumer").find("required")), R"(["key"])");
  EXPECT_EQ(value("plugins?all=true").find("sample")->find("priority")->as_int(), 7);
  EXPECT_EQ(value("schema/route").text("type"), "object");
  EXPECT_EQ(call("POST", "schema/validate/routes", route_body), "200 ");
  EXPECT_EQ(error_of(call("POST", "schema/validate/routes", R"({"uri":3,"plugins":{}})")),
            R"(400 property "uri" validation failed: wrong type: expected string, got number)");
}

TEST_P(ApiTest, ValidatesWholeConfigurations) {
  EXPECT_EQ(call("POST", "configs/validate",
                 R"({"routes":[{"id":"1","uri":"/","plugins":{}}],"routes_conf_version":3})"),
            "200 {}");
  auto answer =
      call("POST", "configs/validate",
           R"({"routes":[{"id":"1","uri":"/","plugins":{}},{"id":"1","plugins":{"x":{}}}],"nonsense":[]})");
  EXPECT_EQ(
      answer,
      R"(400 {"error_msg":"Configuration validation failed","errors":[{"resource_type":"routes",)"
      R"("resource_id":"1",)"
      R"("index":1,"error":"invalid configuration: allOf 1 failed: value should match only one schema, but )"
      R"(matches none"},{"resource_type":"routes","resource_id":"1","index":1,"error":"unknown plugin [x]"},)"
      R"({"resource_type":"routes","resource_id":"1","index":1,"error":"found duplicate id 1 in routes"},)"
      R"({"resource_type":"nonsense","error":"Unsupported resource type: nonsense"}]})");
}

TEST_P(ApiTest, ControlShowsWhatIsHeld) {
  call("PUT", "routes/1", route_body);
  auto control = [&](std::string target) { return ask({"GET", std::move(target)}, true); };
  EXPECT_EQ(json::parse(control("/v1/routes").body)->as_array().size(), 1u);
  EXPECT_EQ(json::parse(control("/v1/route/1").body)->text("key"), "/apisix/routes/1");
  EXPECT_EQ(control("/v1/route/2").status, 404);
  EXPECT_EQ(json::parse(control("/v1/route/2").body)->text("error_msg"), "route[2] not found");
  EXPECT_EQ(json::parse(control("/v1/plugin_metadata/x").body)->text("error_msg"),
            "plugin metadata[x] not found");
  EXPECT_EQ(json::parse(control("/v1/plugin_metadatas").body)->as_array().size(), 0u);
  EXPECT_EQ(json::parse(control("/v1/healthcheck").body)->as_array().size(), 1u);
  EXPECT_EQ(json::parse(control("/v1/healthcheck/upstreams/1").body)->text("type"), "http");
  EXPECT_EQ(json::parse(control("/v1/healthcheck/upstreams/9").body)->text("error_msg"),
            "upstreams[9] not found");
  EXPECT_EQ(control("/v1/healthcheck/upstreams/2").status, 404);
  EXPECT_EQ(control("/v1/healthcheck/x/2").status, 400);
  EXPECT_TRUE(json::parse(control("/v1/schema").body)->find("main")->find("route"));
  EXPECT_EQ(control("/v2").status, 404);
  EXPECT_EQ(ask({"POST", "/v1/gc"}, true).status, 200);
}

TEST_P(ApiTest, ControlShowsWhatIsInForce) {
  call("PUT", "upstreams/1", R"({"nodes":{"127.0.0.1:80":1,"[::1]:81":2}})");
  call("PUT", "routes/1", R"({"uri":"/","upstream_id":"1","plugins":{"sample":{"count":2}}})");
  const auto shown = [&](std::string target) {
    return *json::parse(ask({"GET", std::move(target)}, true).body)->find("value");
  };
  const Value upstream = shown("/v1/upstream/1");
  EXPECT_EQ(json::dump(*upstream.find("nodes")),
            R"([{"host":"127.0.0.1","port":80,"weight":1},{"host":"[::1]","port":81,"weight":2}])");
  EXPECT_EQ(upstream.text("hash_on"), "vars");
  EXPECT_EQ(upstream.text("pass_host"), "pass");
  const Value route = shown("/v1/route/1");
  EXPECT_EQ(json::dump(*route.find("plugins")), R"({"sample":{"count":2,"unit":"piece","_meta":{}}})");
  EXPECT_EQ(route.text("upstream_id"), "1");
  EXPECT_FALSE(route.find("upstream"));
}

TEST_P(ApiTest, ControlShowsNoSecret) {
  call("PUT", "secrets/vault/1", R"({"uri":"http://127.0.0.1","prefix":"kv","token":"hush"})");
  const auto reply = ask({"GET", "/v1/secrets"}, true);
  EXPECT_EQ(reply.body.find("hush"), std::string::npos) << reply.body;
  EXPECT_EQ(json::parse(reply.body)->as_array().at(0).find("value")->text("token"), "***");
  call("PUT", "secrets/vault/1", R"({"uri":"http://127.0.0.1","prefix":"kv","token":"$env://TOKEN"})");
  const auto named = json::parse(ask({"GET", "/v1/secrets"}, true).body);
  EXPECT_EQ(named->as_array().at(0).find("value")->text("token"), "$env://TOKEN");
}

TEST_P(ApiTest, ControlShowsHealthAsAPage) {
  const auto reply = ask({"GET", "/v1/healthcheck", "", {{"Accept", "text/html,*/*"}}}, true);
  EXPECT_EQ(reply.content_type, "text/html; charset=utf-8");
  EXPECT_NE(reply.body.find("<tr class=\"unhealthy\"><td>/apisix/upstreams/1</td><td>http</td>"
                            "<td>&lt;here&gt;</td><td>127.0.0.1:80</td><td>unhealthy</td>"
                            "<td class=\"count\">0</td><td class=\"count\">3</td>"),
            std::string::npos)
      << reply.body;
  const auto one = ask({"GET", "/v1/healthcheck/upstreams/1", "", {{"Accept", "text/html"}}}, true);
  EXPECT_EQ(one.body, reply.body);
}

TEST_P(ApiTest, StatusTellsReadiness) {
  Arena arena;
  http::Request request(arena);
  request.method_id = http::Method::get;
  request.path = "/status";
  EXPECT_EQ(status_reply(status_, request).status, 200);
  request.path = "/status/ready";
  EXPECT_EQ(status_reply(status_, request).status, 503);
  status_.is_ready = true;
  EXPECT_EQ(status_reply(status_, request).status, 200);
  request.path = "/status/x";
  EXPECT_EQ(status_reply(status_, request).status, 404);
}

TEST(AdminApi, AStoreThatFailsIsA503) {
  async::Loop loop;
  store::MemoryStore store(loop);
  store.break_with("cannot use the store x: the disk is full");
  plugin::Validator validator({});
  FakeStatus status;
  ManualClock clock;
  Settings settings;
  settings.restricted = false;
  Api api(store, validator, status, clock, settings);
  Arena arena;
  http::Request request(arena);
  request.method = "GET";
  request.method_id = http::Method::get;
  request.path = "/apisix/admin/routes/1";
  std::optional<http::Reply> reply;
  loop.spawn(keep(api.handle(request, IpAddress::loopback()), reply));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(reply->body, "{\"error_msg\":\"cannot use the store x: the disk is full\"}\n");
}

TEST(AdminKeys, GeneratedOnceAndKeptPrivate) {
  std::string folder = std::filesystem::temp_directory_path() / "sluice-key-XXXXXX";
  ::mkdtemp(folder.data());
  auto path = folder + "/admin.key";
  auto key = load_or_make_key(path);
  ASSERT_TRUE(key) << key.error().what;
  EXPECT_EQ(key->size(), 64u);
  EXPECT_EQ(*load_or_make_key(path), *key);
  struct stat about{};
  ::stat(path.c_str(), &about);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  EXPECT_FALSE(load_or_make_key(folder + "/nowhere/admin.key"));
  std::ofstream(path) << "short";
  EXPECT_FALSE(load_or_make_key(path));
  std::filesystem::remove_all(folder);
}

TEST(AdminKeys, PublishedDefaultsStayOnTheMachine) {
  const Key key{"admin", "edd1c9f034335f136f87ad84b625c8f1", Role::admin};
  const auto refused = Keys::make({key}, Reach::network);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("everybody knows"), std::string::npos);
  EXPECT_FALSE(Keys::make({{"admin", "4054f7cf07e344346cd3f287985e76a2", Role::viewer}}, Reach::network));
  const auto keys =
      Keys::make({key, {"own", "a-key-of-one's-own-0123456789", Role::admin}}, Reach::this_machine);
  ASSERT_TRUE(keys);
  EXPECT_NE(keys->check(key.key, false).key, nullptr);
  EXPECT_EQ(keys->check(key.key, false, true).key, nullptr) << "a page from elsewhere";
  EXPECT_NE(keys->check("a-key-of-one's-own-0123456789", false, true).key, nullptr);
}

TEST(AdminKeys, AreLongEnough) {
  EXPECT_FALSE(Keys::make({{"admin", "short", Role::admin}}, Reach::this_machine));
  EXPECT_FALSE(Keys::make({}, Reach::this_machine));
}

}  // namespace
}  // namespace sluice::admin
