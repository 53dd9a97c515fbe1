// SPDX-License-Identifier: Apache-2.0
#include "upstream/resolved_names.h"

#include <gtest/gtest.h>

#include "net/fake_name_server.h"

namespace sluice::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ResolvedNamesTest : public testing::Test {
 protected:
  ResolvedNamesTest() {
    net::ResolverOptions options;
    options.servers = {server.endpoint};
    options.search = false;
    resolver = std::move(*net::Resolver::make(loop, options));
    names = std::make_unique<ResolvedNames>(
        loop, *resolver, [this](std::string_view name) { changed += std::string(name) + ";"; });
    server.names["a.test"] = {"10.0.0.1"};
  }
  std::string addresses(std::string_view name) {
    std::string all;
    const auto* found = names->find(name);
    for (std::size_t i = 0; found != nullptr && i < found->size(); ++i) all += (*found)[i].text() + " ";
    return all;
  }
  // Lets the clock stand still until nothing has happened for a moment, and `asked` questions have come.
  void settle(int asked) {
    const auto limit = std::chrono::steady_clock::now() + seconds(10);
    while (server.asked < asked && std::chrono::steady_clock::now() < limit) loop.run_once(milliseconds(5));
    while (loop.run_once(milliseconds(20))) {
    }
    EXPECT_EQ(server.asked, asked);
  }

  ManualClock clock;
  async::Loop loop{clock};
  net::FakeNameServer server{loop};
  std::unique_ptr<net::Resolver> resolver;
  std::string changed;
  std::unique_ptr<ResolvedNames> names;
};

TEST_F(ResolvedNamesTest, follows_a_name_at_its_ttl) {
  names->use("a.test");
  EXPECT_EQ(names->find("a.test"), nullptr);
  settle(2);  // A and AAAA
  EXPECT_EQ(addresses("a.test"), "10.0.0.1 ");
  EXPECT_EQ(changed, "a.test;");
  server.names["a.test"] = {"10.0.0.2", "10.0.0.3"};
  clock.advance(seconds(29));
  settle(2);
  clock.advance(seconds(2));
  settle(4);
  EXPECT_EQ(addresses("a.test"), "10.0.0.2 10.0.0.3 ");
  clock.advance(seconds(31));
  settle(6);
  EXPECT_EQ(changed, "a.test;a.test;");
}

TEST_F(ResolvedNamesTest, keeps_the_last_addresses_and_asks_again) {
  names->use("a.test");
  settle(2);
  server.names.clear();
  clock.advance(seconds(31));
  settle(4);
  EXPECT_EQ(addresses("a.test"), "10.0.0.1 ");
  server.names["a.test"] = {"10.0.0.9"};
  clock.advance(milliseconds(1100));
  settle(6);
  EXPECT_EQ(addresses("a.test"), "10.0.0.9 ");
}

TEST_F(ResolvedNamesTest, lets_a_name_go_with_its_last_use) {
  names->use("a.test");
  names->use("a.test");
  settle(2);
  names->release("a.test");
  EXPECT_EQ(addresses("a.test"), "10.0.0.1 ");
  names->release("a.test");
  EXPECT_EQ(names->size(), 0u);
  clock.advance(seconds(60));
  settle(2);
}

}  // namespace
}  // namespace sluice::upstream
