// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/hash.h"
#include "base/random.h"
#include "upstream/hash_ring.h"
#include "upstream/health.h"
#include "upstream/upstream.h"

namespace sluice::upstream {
namespace {

struct Server {
  const char* text;
  std::int32_t weight = 1;
  std::int32_t priority = 0;
};

class Cluster {
 public:
  Cluster(model::Balancer type, std::initializer_list<Server> servers, bool checked = false) : random(3) {
    model::Checks checks;
    checks.active.unhealthy.tcp_failures = 1;
    checks.active.healthy.successes = 1;
    const auto rules = std::make_shared<const HealthRules>(checks);
    for (const Server& server : servers) {
      Peer peer{*Endpoint::parse(server.text), "", "", server.text, server.weight, server.priority};
      if (checked) peer.health = std::make_shared<PeerHealth>(table.state("u", peer.endpoint, ""), rules);
      peers.push_back(std::move(peer));
    }
    balancer = make_balancer(type, peers);
  }
  std::string pick(std::uint32_t hash = 0) {
    PickContext context{hash, tried, state, now, random.next()};
    last = balancer->pick(context);
    return last == nullptr ? "-" : last->text.substr(last->text.rfind('.') + 1, 1);
  }
  std::map<std::string, int> pick_many(int count) {
    std::map<std::string, int> seen;
    for (int i = 0; i < count; ++i) ++seen[pick(static_cast<std::uint32_t>(random.next()))];
    return seen;
  }
  void set_health(std::size_t peer, bool well) {
    peers[peer].health->probed(well ? HealthEvent::success : HealthEvent::tcp_failure);
  }

  Random random;
  HealthTable table;
  std::vector<Peer> peers;
  std::shared_ptr<const Balancer> balancer;
  std::unique_ptr<BalancerState> state;
  std::vector<const Peer*> tried;
  const Peer* last = nullptr;
  Instant now{std::chrono::hours(1)};
};

using Seen = std::map<std::string, int>;
constexpr auto all_types = {model::Balancer::roundrobin, model::Balancer::chash, model::Balancer::least_conn,
                            model::Balancer::ewma};
constexpr auto but_chash = {model::Balancer::roundrobin, model::Balancer::least_conn, model::Balancer::ewma};

TEST(Balancers, asks_peers_of_weight_0_when_no_other_is_well) {
  for (const auto type : but_chash) {
    Cluster cluster(type, {{"10.0.0.1:80", 1}, {"10.0.0.2:80", 0}, {"10.0.0.3:80", 0}}, true);
    EXPECT_EQ(cluster.pick_many(50), (Seen{{"1", 50}}));
    cluster.set_health(0, false);
    const Seen spare = cluster.pick_many(50);
    EXPECT_EQ(spare.count("1"), 0u);
    EXPECT_EQ(spare.size(), 2u);
    cluster.set_health(1, false);
    cluster.set_health(2, false);
    EXPECT_EQ(cluster.pick_many(50), (Seen{{"1", 50}}));  // nobody is well: as if all were
  }
}

TEST(ConsistentHash, never_asks_peers_of_weight_0) {
  Cluster cluster(model::Balancer::chash, {{"10.0.0.1:80", 1}, {"10.0.0.2:80", 0}}, true);
  cluster.set_health(0, false);
  EXPECT_EQ(cluster.pick_many(50), (Seen{{"1", 50}}));
  EXPECT_EQ(Cluster(model::Balancer::chash, {{"10.0.0.1:80", 0}}).pick(), "-");
}

TEST(Balancers, shares_equally_among_peers_of_weight_0_when_all_are) {
  for (const auto type : but_chash) {
    Cluster cluster(type, {{"10.0.0.1:80", 0}, {"10.0.0.2:80", 0}});
    EXPECT_EQ(cluster.pick_many(50).size(), 2u);
    cluster.tried = {cluster.last};
    EXPECT_NE(cluster.pick(), "-");
  }
}

TEST(Balancers, does_not_retry_on_a_peer_of_weight_0_while_a_tried_one_is_well) {
  for (const auto type : all_types) {
    Cluster cluster(type, {{"10.0.0.1:80", 1}, {"10.0.0.2:80", 0}});
    EXPECT_EQ(cluster.pick(), "1");
    cluster.tried = {cluster.last};
    EXPECT_EQ(cluster.pick(), "-");
  }
}

TEST(RoundRobin, shares_by_weight_and_interleaves) {
  Cluster equal(model::Balancer::roundrobin, {{"10.0.0.1:80"}, {"10.0.0.2:80"}, {"10.0.0.3:80"}});
  EXPECT_EQ(equal.pick_many(300), (Seen{{"1", 100}, {"2", 100}, {"3", 100}}));
  Cluster weighted(model::Balancer::roundrobin,
                   {{"10.0.0.1:80", 5}, {"10.0.0.2:80", 1}, {"10.0.0.3:80", 1}, {"10.0.0.4:80", 0}});
  EXPECT_EQ(weighted.pick_many(700), (Seen{{"1", 500}, {"2", 100}, {"3", 100}}));
  int run = 0;
  for (int i = 0; i < 70; ++i) {
    run = weighted.pick() == "1" ? run + 1 : 0;
    EXPECT_LE(run, 4);
  }
}

TEST(RoundRobin, is_fair_while_one_is_down) {
  for (const std::int32_t weight : {1, 2}) {
    Cluster c(model::Balancer::roundrobin,
              {{"10.0.0.1:80", 1}, {"10.0.0.2:80", weight}, {"10.0.0.3:80", weight}}, true);
    c.set_health(0, false);
    Seen seen = c.pick_many(100);
    EXPECT_EQ(seen.size(), 2u);
    EXPECT_NEAR(seen["2"], 50, 1);
    c.set_health(0, true);
    EXPECT_EQ(c.pick_many(100).size(), 3u);
  }
}

TEST(Balancers, try_every_peer_once_and_higher_priorities_first) {
  for (const auto type : all_types) {
    Cluster c(type,
              {{"10.0.0.1:80", 1, -1}, {"10.0.0.2:80", 1, 5}, {"10.0.0.3:80", 1, 5}, {"10.0.0.4:80", 0, 9}});
    for (int round = 0; round < 20; ++round) {
      c.tried.clear();
      std::string order;
      for (std::string id = c.pick(7); id != "-"; id = c.pick(7)) {
        order += id;
        c.tried.push_back(c.last);
      }
      EXPECT_TRUE(order == "231" || order == "321") << order;
    }
  }
}

TEST(Balancers, use_all_when_all_are_unhealthy) {
  for (const auto type : all_types) {
    Cluster c(type, {{"10.0.0.1:80"}, {"10.0.0.2:80"}}, true);
    c.set_health(0, false);
    EXPECT_EQ(c.pick_many(20), (Seen{{"2", 20}}));
    c.tried = {&c.peers[1]};
    EXPECT_EQ(c.pick(), "-");
    c.tried.clear();
    c.set_health(1, false);
    EXPECT_EQ(c.pick_many(100).size(), 2u);
  }
  for (const auto type : all_types) {
    EXPECT_EQ(Cluster(type, {}).pick(), "-");
  }
}

TEST(ConsistentHash, is_stable_and_moves_little) {
  Cluster c(model::Balancer::chash, {{"10.0.0.1:80"}, {"10.0.0.2:80"}, {"10.0.0.3:80", 2}}, true);
  std::vector<std::string> before;
  for (int i = 0; i < 4000; ++i) before.push_back(c.pick(crc32("key" + std::to_string(i))));
  EXPECT_NEAR(static_cast<double>(std::count(before.begin(), before.end(), "3")), 2000, 400);
  c.set_health(0, false);
  for (int i = 0; i < 4000; ++i) {
    const std::string now = c.pick(crc32("key" + std::to_string(i)));
    if (before[static_cast<std::size_t>(i)] != "1") {
      EXPECT_EQ(now, before[static_cast<std::size_t>(i)]);
    }
    EXPECT_NE(now, "1");
  }
}

TEST(HashRing, has_the_points_of_resty_chash) {
  const HashRing ring(std::vector<HashRing::Server>{{"127.0.0.1:1980", 1}});
  ASSERT_EQ(ring.points().size(), 160u);
  // The first point is the CRC of the name, a zero byte for the colon, and four zero bytes.
  const std::uint32_t first =
      crc32(std::string("127.0.0.1\0"
                        "1980\0\0\0\0",
                        18));
  EXPECT_TRUE(std::any_of(ring.points().begin(), ring.points().end(),
                          [&](const auto& p) { return p.hash == first; }));
  const auto shared = HashRing::shared({{"a:1", 1}, {"b:1", 2}});
  EXPECT_EQ(HashRing::shared({{"a:1", 1}, {"b:1", 2}}), shared);
  EXPECT_NE(HashRing::shared({{"a:1", 1}, {"b:1", 3}}), shared);
  const HashRing huge(std::vector<HashRing::Server>{{"a:1", 1'000'000'000}, {"b:1", 1}});
  EXPECT_LE(huge.points().size(), HashRing::points_max + 2);
}

TEST(LeastConnections, prefers_the_idle_and_the_heavy) {
  Cluster c(model::Balancer::least_conn, {{"10.0.0.1:80", 2}, {"10.0.0.2:80", 1}});
  Seen seen;
  for (int i = 0; i < 9; ++i) {
    ++seen[c.pick()];
    c.balancer->started(*c.last, *c.state);
  }
  EXPECT_EQ(seen, (Seen{{"1", 6}, {"2", 3}}));
  for (int i = 0; i < 6; ++i) c.balancer->finished(c.peers[0], *c.state, Duration(1), c.now);
  EXPECT_EQ(c.pick_many(5), (Seen{{"1", 5}}));
}

TEST(LeastConnections, counts_survive_an_edit) {
  Cluster c(model::Balancer::least_conn, {{"10.0.0.1:80"}, {"10.0.0.2:80"}});
  c.pick();
  for (int i = 0; i < 3; ++i) c.balancer->started(c.peers[0], *c.state);
  const auto old = c.balancer;
  c.balancer = make_balancer(model::Balancer::least_conn, c.peers);
  EXPECT_EQ(c.pick_many(5), (Seen{{"2", 5}}));
  for (int i = 0; i < 3; ++i) old->finished(c.peers[0], *c.state, Duration(1), c.now);
  EXPECT_EQ(c.pick_many(10), (Seen{{"1", 5}, {"2", 5}}));
}

TEST(Ewma, prefers_the_faster) {
  Cluster c(model::Balancer::ewma, {{"10.0.0.1:80"}, {"10.0.0.2:80"}});
  c.pick();
  c.balancer->finished(c.peers[0], *c.state, std::chrono::milliseconds(500), c.now);
  c.balancer->finished(c.peers[1], *c.state, std::chrono::milliseconds(5), c.now);
  EXPECT_EQ(c.pick_many(50), (Seen{{"2", 50}}));
  for (int i = 0; i < 200; ++i) {
    c.now += std::chrono::seconds(1);
    c.balancer->finished(c.peers[0], *c.state, std::chrono::milliseconds(1), c.now);
    c.balancer->finished(c.peers[1], *c.state, std::chrono::milliseconds(5), c.now);
  }
  EXPECT_EQ(c.pick_many(50), (Seen{{"1", 50}}));
}

TEST(Health, counts_as_the_state_machine_says) {
  HealthState state;
  const HealthThresholds limits{2, 3, 2, 0};
  using enum HealthEvent;
  EXPECT_FALSE(state.count(success, limits));
  EXPECT_EQ(state.view().successes, 0);
  EXPECT_FALSE(state.count(http_failure, limits));
  EXPECT_EQ(state.view().status, HealthStatus::mostly_healthy);
  EXPECT_FALSE(state.count(success, limits));
  EXPECT_EQ(state.view().http_failures, 0);
  EXPECT_FALSE(state.count(success, limits));
  EXPECT_EQ(state.view().status, HealthStatus::healthy);
  EXPECT_FALSE(state.count(timeout, limits));
  EXPECT_EQ(state.view().status, HealthStatus::healthy);
  EXPECT_FALSE(state.count(tcp_failure, limits));
  EXPECT_TRUE(state.usable());
  EXPECT_TRUE(state.count(tcp_failure, limits));
  EXPECT_EQ(state.view().status, HealthStatus::unhealthy);
  EXPECT_FALSE(state.usable());
  EXPECT_FALSE(state.count(success, limits));
  EXPECT_EQ(state.view().status, HealthStatus::mostly_unhealthy);
  EXPECT_FALSE(state.count(http_failure, limits));
  EXPECT_EQ(state.view().successes, 0);
  EXPECT_FALSE(state.count(success, limits));
  EXPECT_TRUE(state.count(success, limits));
  EXPECT_EQ(state.view().status, HealthStatus::healthy);
}

TEST(Health, states_are_kept_by_checker_and_address) {
  HealthTable table;
  const Endpoint server = *Endpoint::parse("10.0.0.1:80");
  const auto state = table.state("upstreams/1", server, "");
  EXPECT_EQ(table.state("upstreams/1", server, ""), state);
  EXPECT_NE(table.state("upstreams/2", server, ""), state);
  EXPECT_NE(table.state("upstreams/1", server, "name"), state);
}

TEST(Health, passive_reports_follow_the_lists) {
  model::Checks checks;
  checks.passive.emplace();
  checks.passive->unhealthy.http_failures = 1;
  const PeerHealth health(std::make_shared<HealthState>(), std::make_shared<const HealthRules>(checks));
  health.report_status(404);
  EXPECT_EQ(health.state().view().status, HealthStatus::healthy);
  health.report_status(500);
  EXPECT_FALSE(health.usable());
  for (int i = 0; i < 5; ++i) health.report_status(200);
  EXPECT_TRUE(health.usable());
  health.report_status(-1);
  health.report_status(9999);
}

}  // namespace
}  // namespace sluice::upstream
