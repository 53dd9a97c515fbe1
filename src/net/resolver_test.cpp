// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.h"

#include <gtest/gtest.h>

#include <functional>

#include "net/fake_name_server.h"

namespace sluice::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ResolverTest : public testing::Test {
 protected:
  ResolverTest() {
    server.names = {{"one.test", {"10.0.0.1"}},
                    {"two.test", {"10.0.0.2", "10.0.0.1", "2001:db8::1"}},
                    {"empty.test", {}}};
  }
  void make(ResolverOptions options = {}) {
    options.servers = {server.endpoint};
    options.search = false;
    auto made = Resolver::make(loop, options);
    ASSERT_TRUE(made) << made.error().what;
    resolver = std::move(*made);
  }
  static async::Task<> ask(Resolver& resolver, std::string name, std::optional<Result<Resolved>>& into) {
    auto answer = co_await resolver.resolve(name);
    into.emplace(std::move(answer));
  }
  void run_until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + seconds(10);
    while (!done() && std::chrono::steady_clock::now() < limit) loop.run_once(milliseconds(20));
    ASSERT_TRUE(done());
  }
  std::string text(const std::string& name) {
    std::optional<Result<Resolved>> answer;
    loop.spawn(ask(*resolver, name, answer));
    run_until([&] { return answer.has_value(); });
    if (!answer->has_value()) return "error";
    std::string all;
    for (const IpAddress& address : (*answer)->addresses) all += address.text() + " ";
    last_ttl = (*answer)->ttl;
    return all;
  }

  async::Loop loop;
  FakeNameServer server{loop};
  std::unique_ptr<Resolver> resolver;
  Duration last_ttl{};
};

TEST_F(ResolverTest, finds_both_families_and_remembers) {
  make();
  EXPECT_EQ(text("one.test"), "10.0.0.1 ");
  EXPECT_EQ(last_ttl, seconds(30));
  EXPECT_EQ(text("Two.Test."), "10.0.0.1 10.0.0.2 2001:db8::1 ");
  const int asked = server.asked;
  EXPECT_EQ(text("two.test"), "10.0.0.1 10.0.0.2 2001:db8::1 ");
  EXPECT_EQ(server.asked, asked);
  EXPECT_LE(last_ttl, seconds(30));
  EXPECT_EQ(text("192.0.2.7"), "192.0.2.7 ");
  EXPECT_EQ(text("::1"), "::1 ");
}

TEST_F(ResolverTest, says_what_has_no_address) {
  make();
  EXPECT_EQ(text("missing.test"), "error");
  EXPECT_EQ(text("empty.test"), "error");
  EXPECT_EQ(text("bad name"), "error");
  EXPECT_EQ(text(std::string(300, 'a')), "error");
  const int asked = server.asked;
  EXPECT_EQ(text("missing.test"), "error");
  EXPECT_EQ(server.asked, asked);
}

TEST_F(ResolverTest, asks_once_for_many_who_wait) {
  make({.valid = seconds(7), .ipv6 = false});
  std::optional<Result<Resolved>> answers[5];
  for (auto& answer : answers) loop.spawn(ask(*resolver, "one.test", answer));
  run_until([&] { return answers[0] && answers[1] && answers[2] && answers[3] && answers[4]; });
  EXPECT_EQ(server.asked, 1);
  EXPECT_EQ((*answers[4])->ttl, seconds(7));
  EXPECT_EQ(resolver->queries(), 1u);
}

TEST_F(ResolverTest, gives_up_and_lets_go) {
  server.silent = true;
  make({.timeout = milliseconds(60)});
  EXPECT_EQ(text("one.test"), "error");
  server.silent = false;
  {
    auto abandoned = resolver->resolve("two.test");  // never awaited
  }
  EXPECT_EQ(text("two.test"), "10.0.0.1 10.0.0.2 2001:db8::1 ");
  server.silent = true;
  auto pending = resolver->resolve("three.test");
  resolver.reset();
}

TEST_F(ResolverTest, its_cache_is_bounded) {
  make({.cache_max = 3});
  for (int i = 0; i < 10; ++i) {
    server.names["n" + std::to_string(i) + ".test"] = {"10.0.0.1"};
    EXPECT_EQ(text("n" + std::to_string(i) + ".test"), "10.0.0.1 ");
  }
  EXPECT_EQ(resolver->cached(), 3u);
}

TEST_F(ResolverTest, knows_etc_hosts) {
  make();
  EXPECT_NE(text("localhost").find("127.0.0.1"), std::string::npos);
  EXPECT_EQ(server.asked, 0);
}

}  // namespace
}  // namespace sluice::net
