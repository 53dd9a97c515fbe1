// SPDX-License-Identifier: Apache-2.0
#include "gateway/router.h"

#include <gtest/gtest.h>

#include <map>

namespace sluice::gateway {
namespace {

using http::Method;
using plugin::Exchange;

Exchange& no_exchange() {
  alignas(Exchange) static char never_read[sizeof(Exchange)];
  return reinterpret_cast<Exchange&>(never_read);
}

class Refuse final : public RouteFilter {
  bool matches(Exchange&) const override { return false; }
};

// A router with the routes it was given, and questions in short.
class Table {
 public:
  explicit Table(RouterMode mode = RouterMode::host_uri) : router(mode) {}
  ~Table() {
    for (auto& [id, route] : routes) radix::release(route);
  }
  void add(RouteSpec spec) {
    remove(spec.id);
    const std::string id = spec.id;
    auto route = Route::make(std::move(spec), router.mode());
    ASSERT_TRUE(route) << route.error().what;
    routes[id] = *route;
    router.add(**route);
  }
  void remove(const std::string& id) {
    const auto found = routes.find(id);
    if (found == routes.end()) return;
    router.remove(*found->second);
    radix::release(found->second);
    routes.erase(found);
  }
  std::string ask(std::string_view host, std::string_view path, Method method = Method::get,
                  std::string_view remote = "10.0.0.1") {
    const std::string name(host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':')));
    host_name = name;
    question = RouteQuestion{method, host_name, host, path, *IpAddress::parse(remote), &no_exchange()};
    if (!router.match(question, match, captured)) return "-";
    host_pattern = match.host_pattern(question);
    return std::string(match.route->id());
  }

  Router router;
  RouteMatch match;
  std::string host_name, host_pattern;
  RouteQuestion question;
  Exchange::Parameter captured[4];
  std::map<std::string, Route*> routes;
};

TEST(Router, paths_exact_before_longest_prefix) {
  Table t;
  t.add({.id = "root", .uris = {"/*"}});
  t.add({.id = "a", .uris = {"/a"}});
  t.add({.id = "a*", .uris = {"/a*"}});
  t.add({.id = "a/*", .uris = {"/a/*"}});
  t.add({.id = "abc", .uris = {"/a/b/c", "/x"}});
  const struct {
    const char *path, *id;
  } rows[] = {{"/", "root"},     {"/a", "a"},   {"/ab", "a*"},      {"/a/", "a/*"}, {"/a/b", "a/*"},
              {"/a/b/c", "abc"}, {"/x", "abc"}, {"/a/b/cd", "a/*"}, {"/A", "root"}, {"/x/", "root"}};
  for (const auto& row : rows) EXPECT_EQ(t.ask("h", row.path), row.id) << row.path;
  t.ask("h", "/a/q");
  EXPECT_EQ(t.match.uri_pattern(), "/a/*");
  EXPECT_EQ(t.host_pattern, "");
  t.remove("root");
  EXPECT_EQ(t.ask("h", "/zz"), "-");
}

TEST(Router, hosts_exact_then_longest_wildcard_then_none) {
  Table t;
  t.add({.id = "none", .uris = {"/*"}});
  t.add({.id = "exact", .uris = {"/a"}, .hosts = {"Foo.com"}});
  t.add({.id = "wild", .uris = {"/a", "/w"}, .hosts = {"*.foo.com"}});
  t.add({.id = "wild2", .uris = {"/a"}, .hosts = {"*.b.foo.com", "other.org"}});
  t.add({.id = "port", .uris = {"/a"}, .hosts = {"foo.com:9090"}});
  t.add({.id = "v6", .uris = {"/a"}, .hosts = {"[::1]"}});
  const struct {
    const char *host, *path, *id, *pattern;
  } rows[] = {{"foo.com", "/a", "exact", "foo.com"},
              {"foo.com", "/b", "none", ""},
              {"foo.com:80", "/a", "exact", "foo.com"},
              {"foo.com:9090", "/a", "port", "foo.com:9090"},
              {"x.foo.com", "/a", "wild", "*.foo.com"},
              {"x.y.foo.com", "/w", "wild", "*.foo.com"},
              {"x.b.foo.com", "/a", "wild2", "*.b.foo.com"},
              {"x.b.foo.com", "/w", "wild", "*.foo.com"},
              {"other.org", "/a", "wild2", "other.org"},
              {"barfoo.com", "/a", "none", ""},
              {"[::1]:80", "/a", "v6", "[::1]"},
              {"", "/a", "none", ""}};
  for (const auto& row : rows) {
    EXPECT_EQ(t.ask(row.host, row.path), row.id) << row.host << row.path;
    EXPECT_EQ(t.host_pattern, row.pattern) << row.host;
  }
  EXPECT_EQ(t.ask(std::string(300, 'a'), "/a"), "none");
}

TEST(Router, conditions_and_priority) {
  for (const RouterMode mode : {RouterMode::host_uri, RouterMode::uri, RouterMode::uri_with_parameter}) {
    Table t(mode);
    const auto refuse = std::make_shared<Refuse>();
    t.add({.id = "low", .uris = {"/a"}});
    t.add({.id = "post", .uris = {"/a"}, .methods = method_bit(Method::post), .priority = 5});
    t.add({.id = "inner",
           .uris = {"/a"},
           .priority = 9,
           .remote_addresses = {*Cidr::parse("192.168.0.0/16"), *Cidr::parse("::1")}});
    t.add({.id = "never", .uris = {"/a"}, .priority = 99, .filter = refuse});
    t.add({.id = "prefix", .uris = {"/*"}, .priority = 1000});
    t.add({.id = "deep", .uris = {"/b/c*"}, .filter = refuse});
    EXPECT_EQ(t.ask("h", "/a"), "low");
    EXPECT_EQ(t.ask("h", "/a", Method::post), "post");
    EXPECT_EQ(t.ask("h", "/a", Method::post, "192.168.3.4"), "inner");
    EXPECT_EQ(t.ask("h", "/a", Method::get, "::1"), "inner");
    EXPECT_EQ(t.ask("h", "/a", Method::other), "low");
    EXPECT_EQ(t.ask("h", "/b/cd"), "prefix");
  }
}

TEST(Router, uri_modes_compare_hosts_as_conditions) {
  Table t(RouterMode::uri);
  t.add({.id = "host", .uris = {"/*"}, .hosts = {"foo.com", "*.bar.com"}});
  t.add({.id = "exact", .uris = {"/a"}});
  t.add({.id = "port", .uris = {"/p"}, .hosts = {"foo.com:81"}});
  EXPECT_EQ(t.ask("foo.com", "/a"), "exact");
  EXPECT_EQ(t.ask("foo.com", "/b"), "host");
  EXPECT_EQ(t.host_pattern, "foo.com");
  EXPECT_EQ(t.ask("x.bar.com", "/b"), "host");
  EXPECT_EQ(t.host_pattern, "*.bar.com");
  EXPECT_EQ(t.ask("bar.com", "/b"), "-");
  EXPECT_EQ(t.ask("foo.com:81", "/p"), "port");
  EXPECT_EQ(t.ask("foo.com:82", "/p"), "host");
}

TEST(Router, parameters) {
  Table t(RouterMode::uri_with_parameter);
  t.add({.id = "user", .uris = {"/user/:id"}});
  t.add({.id = "me", .uris = {"/user/me"}});
  t.add({.id = "action", .uris = {"/user/:id/do/*action"}});
  t.add({.id = "two", .uris = {"/x/:a/:b/"}});
  t.add({.id = "middle", .uris = {"/m/*any/end"}});
  t.add({.id = "rest", .uris = {"/user/*"}, .priority = -1});
  const struct {
    const char *path, *id, *captured;
  } rows[] = {{"/user/42", "user", "id=42;"},
              {"/user/me", "me", ""},
              {"/user/42/do/a/b", "action", "id=42;action=a/b;"},
              {"/user/42/do/", "action", "id=42;action=;"},
              {"/user/42/x", "rest", ":ext=42/x;"},
              {"/user/", "rest", ":ext=;"},
              {"/x/1/2/", "two", "a=1;b=2;"},
              {"/x/1/2", "-", ""},
              {"/x/1//", "-", ""},
              {"/m/1/2/end", "middle", "any=1/2;"},
              {"/m/1/2/en", "-", ""}};
  for (const auto& row : rows) {
    EXPECT_EQ(t.ask("h", row.path), row.id) << row.path;
    std::string captured;
    for (std::uint32_t i = 0; t.match.route && i < t.match.parameter_count; ++i) {
      captured.append(t.captured[i].name).append("=").append(t.captured[i].value).append(";");
    }
    EXPECT_EQ(captured, row.captured) << row.path;
  }
}

TEST(Router, a_star_in_the_middle_also_without_parameters) {
  Table t;
  t.add({.id = "m", .uris = {"/a/*/b.c"}});
  t.add({.id = "colon", .uris = {"/v/:id"}});
  EXPECT_EQ(t.ask("h", "/a/1/2/b.c"), "m");
  EXPECT_EQ(t.ask("h", "/a/1/bxc"), "-");
  EXPECT_EQ(t.ask("h", "/v/1"), "-");
  EXPECT_EQ(t.ask("h", "/v/:id"), "colon");
}

TEST(Router, old_versions_stay_whole) {
  Table t;
  t.add({.id = "a", .uris = {"/a", "/a/*"}, .hosts = {"foo.com"}});
  t.add({.id = "b", .uris = {"/b"}});
  const Router before = t.router;
  t.remove("a");
  t.add({.id = "b", .uris = {"/c"}});
  EXPECT_EQ(t.ask("foo.com", "/a"), "-");
  EXPECT_EQ(t.ask("foo.com", "/c"), "b");
  RouteMatch match;
  RouteQuestion question{Method::get, "foo.com", "foo.com", "/a/x", IpAddress::loopback(), &no_exchange()};
  ASSERT_TRUE(before.match(question, match));
  EXPECT_EQ(match.route->id(), "a");
  question.path = "/b";
  ASSERT_TRUE(before.match(question, match));
  EXPECT_EQ(match.route->id(), "b");
  t.remove("b");
  EXPECT_TRUE(t.router.empty());
}

TEST(Router, more_nested_prefixes_than_a_walk_keeps) {
  Table t;
  std::string path = "/";
  const auto refuse = std::make_shared<Refuse>();
  t.add({.id = "root", .uris = {"/*"}});
  for (int i = 0; i < 100; ++i) {
    path += "x";
    t.add({.id = "n" + std::to_string(i), .uris = {path + "*"}, .filter = i == 5 ? nullptr : refuse});
  }
  EXPECT_EQ(t.ask("h", path), "n5");
  t.remove("n5");
  EXPECT_EQ(t.ask("h", path), "root");
}

}  // namespace
}  // namespace sluice::gateway
