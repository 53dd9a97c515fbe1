// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "plugin/concurrency_counters.h"
#include "plugin/exchange.h"
#include "plugin/limit.h"
#include "plugin/rejection.h"

namespace sluice::plugins {
namespace {

using plugin::Amount;
using plugin::ConcurrencyCounters;
using plugin::Exchange;
using plugin::KeyType;
using plugin::WrittenAmount;

enum class Policy : std::uint8_t { local, redis, redis_cluster };
inline json::Names enum_names(Policy) {
  static constexpr std::string_view names[]{"local", "redis", "redis-cluster"};
  return names;
}

constexpr double delay_max = 3600;  // seconds

struct Rule {
  WrittenAmount conn, burst;
  std::string key;

  void describe(json::Fields& field) {
    field("conn", conn, "Requests under way at once: a number, or a text with $variables.")
        .required()
        .more_than(0);
    field("burst", burst, "Requests beyond that which wait before they go on; more are refused.")
        .required()
        .at_least(0);
    field("key", key,
          "What is counted by, with $variables; a rule none of whose variables is there is left out.")
        .required();
    field.open();
  }
};

// A request that was admitted, to be let go when it has ended.
struct Held {
  std::uint64_t key = 0;
  Held* next = nullptr;
};
struct AllHeld {
  Held* first = nullptr;
  Duration waited{};
};

}  // namespace

// Bounds the requests of one key that are under way at once, exactly across all workers.
class LimitConn final : public plugin::Plugin {
 public:
  struct Config {
    std::optional<WrittenAmount> conn, burst;
    double default_conn_delay = 0;
    bool only_use_default_delay = false;
    std::optional<std::string> key;
    KeyType key_type = KeyType::var;
    std::vector<Rule> rules;
    Policy policy = Policy::local;
    bool allow_degradation = false;
    plugin::Rejection rejection{.status = 503, .message = {}};

    void describe(json::Fields& field) {
      field("conn", conn, "Requests under way at once: a number, or a text with $variables.").more_than(0);
      field("burst", burst, "Requests beyond that which wait before they go on; more are refused.")
          .at_least(0);
      field("default_conn_delay", default_conn_delay,
            "Seconds to wait, for each time that conn is full, before it is known how long requests take.")
          .required().more_than(0).at_most(delay_max);
      field("only_use_default_delay", only_use_default_delay,
            "Waits for default_conn_delay always, however long requests take.");
      field("key", key, "What is counted by: a variable, or a text with $variables (key_type).");
      field("key_type", key_type, "How key is meant.").one_of({"var", "var_combination"});
      field("rules", rules, "Several limits, each with a key of its own, instead of conn, burst and key.");
      field("policy", policy, "Where requests are counted: in this process, exactly across its workers.");
      field("allow_degradation", allow_degradation, "Lets requests pass that cannot be counted.");
      rejection.describe(field, 200, 599);
      field.exactly_one_group_of({{"conn", "burst", "key"}, {"rules"}});
      field.open();
      if (field.reading())
        field.check(
            policy == Policy::local, "policy",
            "counts in Redis, which this version cannot ask yet: use \"local\", which counts exactly across "
            "the workers of this process");
    }
  };

  explicit LimitConn(const Config& config)
      : default_delay_(
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(config.default_conn_delay))),
        only_default_(config.only_use_default_delay),
        allow_degradation_(config.allow_degradation),
        rejection_(config.rejection) {
    const std::uint64_t identity = plugin::own_identity();
    if (config.rules.empty() && config.key)
      limits_.push_back(
          {Amount(*config.conn), Amount(*config.burst), {config.key_type, *config.key}, identity});
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
      const Rule& rule = config.rules[i];
      limits_.push_back({Amount(rule.conn), Amount(rule.burst), {KeyType::var_combination, rule.key, true},
                         combine_hashes(identity, i)});
    }
    by_rules_ = !config.rules.empty();
  }

  plugin::VerdictTask access(Exchange& x) const override {
    Duration wait{};
    bool counted = false;
    for (const Limit& limit : limits_) {
      const auto key = limit.key.of(x);
      const auto conn = limit.conn.of(x, 1), burst = limit.burst.of(x, 0);
      if (by_rules_ && (!key || !conn || !burst)) continue;
      if (!conn || !burst) return uncounted(x, "its conn or burst is no whole number");
      counted = true;
      const std::uint64_t hash = combine_hashes(*key, limit.identity);
      const auto entered = ConcurrencyCounters::shared().enter(
          hash, static_cast<std::uint64_t>(*conn + *burst), x.worker.loop.now());
      if (entered.outcome == ConcurrencyCounters::Outcome::full)
        return uncounted(x, "there is no room for another key");
      if (entered.outcome == ConcurrencyCounters::Outcome::rejected) return rejection_.verdict();
      auto& held = x.state<AllHeld>(*this);
      held.first = x.arena.make<Held>(Held{hash, held.first});
      wait += delay(entered, static_cast<std::uint64_t>(*conn));
    }
    if (!counted) return uncounted(x, "no rule applies");
    if (wait < std::chrono::milliseconds(1)) return plugin::pass();
    x.state<AllHeld>(*this).waited = wait;
    return pause(x, wait);
  }

  void log(Exchange& x) const override {
    auto* held = x.existing_state<AllHeld>(*this);
    if (held == nullptr) return;
    const Duration took = x.worker.loop.now() - x.started - held->waited;
    for (const Held* one = held->first; one != nullptr; one = one->next)
      ConcurrencyCounters::shared().leave(one->key, std::max(took, Duration::zero()));
    held->first = nullptr;
  }

 private:
  struct Limit {
    Amount conn, burst;
    plugin::LimitKey key;
    std::uint64_t identity;
  };

  // Once for each time that the requests before this one fill conn.
  Duration delay(const ConcurrencyCounters::Entered& entered, std::uint64_t conn) const {
    const Duration unit = only_default_ || entered.usual == Duration::zero() ? default_delay_ : entered.usual;
    const auto times = static_cast<std::int64_t>((entered.under_way - 1) / conn);
    constexpr Duration longest = std::chrono::hours(1);
    return times == 0 ? Duration::zero() : std::min(unit * std::min<std::int64_t>(times, 3600), longest);
  }

  static plugin::VerdictTask pause(Exchange& x, Duration time) {
    co_await x.worker.loop.sleep_until(after(x.worker.loop.now(), time));
    co_return plugin::pass();
  }

  plugin::Verdict uncounted(const Exchange& x, std::string_view why) const {
    log::error("limit-conn: a request for {} cannot be counted: {}", x.request.path, why);
    return allow_degradation_ ? plugin::pass() : plugin::reply(500);
  }

  Duration default_delay_;
  bool only_default_, allow_degradation_, by_rules_ = false;
  plugin::Rejection rejection_;
  std::vector<Limit> limits_;
};

extern constexpr plugin::PluginType limit_conn = plugin::plugin<LimitConn>({
    .name = "limit-conn",
    .summary = "Bounds the requests of one key that are under way at once.",
    .priority = 1003,
    .example =
        R"({"conn": 1, "burst": 0, "default_conn_delay": 0.1, "key": "remote_addr", "rejected_code": 429})",
});

}  // namespace sluice::plugins
