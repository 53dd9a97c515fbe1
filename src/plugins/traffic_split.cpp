// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plugin/exchange.h"
#include "plugin/leaf.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

struct Match {
  plugin::Conditions vars;

  void describe(json::Fields& field) {
    field("vars", vars, "Conditions over variables, all of which have to hold.");
    field.open();
  }
};

struct WeightedUpstream {
  std::optional<model::Upstream> upstream;
  model::Id upstream_id;
  std::int64_t weight = 1;

  void describe(json::Fields& field) {
    constexpr std::int64_t weight_max = 1'000'000;
    field("upstream", upstream, "Where requests go; neither this nor upstream_id: where the route says.");
    field("upstream_id", upstream_id, "Where requests go: an upstream by its id.").references("upstreams");
    field("weight", weight, "How many requests it gets beside the others; 0: none.").range(0, weight_max);
    field.open();
    if (field.reading() && upstream && upstream->checks)
      field.reader()->warn("upstream",
                           "has health checks, which are not made here: give it an id of its own");
  }
};

struct SplitRule {
  std::vector<Match> match;
  std::vector<WeightedUpstream> weighted_upstreams{WeightedUpstream{}};

  void describe(json::Fields& field) {
    field("match", match, "Requests the rule is for: one of these has to hold; absent: all.");
    field("weighted_upstreams", weighted_upstreams, "What the requests are spread over.")
        .min_items(1)
        .max_items(20);
    field.open();
  }
};

// Whose turn it is among weights: smooth weighted round robin, as the balancer has it.
class Turns {
 public:
  static constexpr std::size_t none = SIZE_MAX;

  std::size_t next(const std::vector<std::int64_t>& weights) {
    standing_.resize(weights.size());
    std::size_t best = none;
    std::int64_t total = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] == 0) continue;
      total += weights[i];
      standing_[i] += weights[i];
      if (best == none || standing_[i] > standing_[best]) best = i;
    }
    if (best != none) standing_[best] -= total;
    return best;
  }

 private:
  std::vector<std::int64_t> standing_;
};

struct AllTurns final : plugin::Local {
  explicit AllTurns(plugin::Worker&) {}
  std::vector<Turns> of_rules;
};

}  // namespace

// Sends shares of the requests to other upstreams, by rules.
class TrafficSplit final : public plugin::Plugin {
 public:
  struct Config {
    std::vector<SplitRule> rules;

    void describe(json::Fields& field) {
      field("rules", rules, "Rules, of which the first that a request matches decides.");
      field.open();
    }
  };

  explicit TrafficSplit(Config config) {
    for (SplitRule& written : config.rules) {
      Rule& rule = rules_.emplace_back();
      for (Match& match : written.match) rule.match.push_back(std::move(match.vars));
      for (WeightedUpstream& one : written.weighted_upstreams) {
        rule.weights.push_back(one.weight);
        const bool routes_own = !one.upstream && one.upstream_id.empty();
        rule.upstreams.push_back(routes_own ? Turns::none : uses_.size());
        if (routes_own) continue;
        if (one.upstream) one.upstream->checks.reset();
        if (one.upstream_id.empty()) uses_.push_back({{}, std::move(one.upstream)});
        else uses_.push_back({one.upstream_id.text, {}});
      }
    }
  }

  std::span<const plugin::UpstreamUse> upstreams() const override { return uses_; }

  plugin::VerdictTask access(Exchange& x) const override {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const Rule& rule = rules_[i];
      const bool matches = rule.match.empty() ||
                           std::ranges::any_of(rule.match, [&](const auto& vars) { return vars.hold(x); });
      if (!matches) continue;
      auto& turns = x.local<AllTurns>(*this).of_rules;
      turns.resize(rules_.size());
      const std::size_t turn = turns[i].next(rule.weights);
      if (turn != Turns::none && rule.upstreams[turn] != Turns::none) x.send_to(*this, rule.upstreams[turn]);
      break;
    }
    return plugin::pass();
  }
  plugin::VerdictTask preread(Exchange& x) const override { return access(x); }

 private:
  struct Rule {
    std::vector<plugin::Conditions> match;
    std::vector<std::int64_t> weights;
    std::vector<std::size_t> upstreams;  // into uses_; none: the route's own
  };
  std::vector<Rule> rules_;
  std::vector<plugin::UpstreamUse> uses_;
};

extern constexpr plugin::PluginType traffic_split = plugin::plugin<TrafficSplit>({
    .name = "traffic-split",
    .summary =
        "Sends shares of the requests, or of a stream route's connections, to other upstreams, by rules.",
    .priority = 966,
    .example = R"({"rules": [{"match": [{"vars": [["arg_name", "==", "jack"]]}], "weighted_upstreams": [
                   {"upstream": {"type": "roundrobin",
                                 "nodes": [{"host": "127.0.0.1", "port": 1981, "weight": 1}]}, "weight": 3},
                   {"weight": 2}]}]})",
});

}  // namespace sluice::plugins
