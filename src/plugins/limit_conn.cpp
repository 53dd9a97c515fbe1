// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/bounded.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "plugin/exchange.h"
#include "plugin/limit.h"
#include "plugin/redis_counters.h"
#include "plugin/rejection.h"

namespace sluice::plugins {
namespace {

using plugin::Amount;
using plugin::ConcurrencyCounters;
using plugin::Exchange;
using plugin::KeyType;
using plugin::WrittenAmount;

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
  std::string_view name;  // in Redis; empty: it is held here
  Held* next = nullptr;
};
struct AllHeld {
  Held* first = nullptr;
  Duration waited{};
  std::string member;  // what the request is called in Redis
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
    plugin::RedisConfig redis;
    std::int64_t key_ttl = 3600;
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
      redis.describe(field);
      field("key_ttl", key_ttl, "Seconds after which Redis lets go of a request that nobody let go.")
          .range(1, 86'400);
      field("allow_degradation", allow_degradation, "Lets requests pass that cannot be counted.");
      rejection.describe(field, 200, 599);
      field.exactly_one_group_of({{"conn", "burst", "key"}, {"rules"}});
      field.open();
    }
  };

  LimitConn(const Config& config, std::string_view owner)
      : default_delay_(bounded_seconds(config.default_conn_delay)),
        only_default_(config.only_use_default_delay),
        allow_degradation_(config.allow_degradation),
        rejection_(config.rejection),
        redis_(config.redis),
        key_ttl_(config.key_ttl),
        scope_(plugin::redis_scope("limit-conn", owner, json::write(config))) {
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
    if (!redis_.is_local()) return access_by_redis(x);
    Duration wait{};
    bool counted = false;
    for (const Limit& limit : limits_) {
      const auto asked = ask_of(x, limit);
      if (!asked && by_rules_) continue;
      if (!asked) return uncounted(x, no_number);
      counted = true;
      const std::uint64_t hash = combine_hashes(hash64(asked->key), limit.identity);
      const auto entered = ConcurrencyCounters::shared().enter(hash, static_cast<std::uint64_t>(asked->most),
                                                               x.worker.loop.now());
      if (entered.outcome == ConcurrencyCounters::Outcome::full)
        return uncounted(x, "there is no room for another key");
      if (entered.outcome == ConcurrencyCounters::Outcome::rejected) return rejection_.verdict();
      hold(x, {hash, {}, nullptr});
      wait += delay(entered, static_cast<std::uint64_t>(asked->conn));
    }
    if (!counted) return uncounted(x, "no rule applies");
    if (wait < wait_least) return plugin::pass();
    return pause(x, wait);
  }

  plugin::VerdictTask preread(Exchange& x) const override { return access(x); }
  void stream_log(Exchange& x) const override { log(x); }

  void log(Exchange& x) const override {
    auto* held = x.existing_state<AllHeld>(*this);
    if (held == nullptr) return;
    const Duration took = x.worker.loop.now() - x.started - held->waited;
    for (const Held* one = held->first; one != nullptr; one = one->next) {
      if (one->name.empty()) ConcurrencyCounters::shared().leave(one->key, std::max(took, Duration::zero()));
      else plugin::leave(x.local<plugin::Redis>(*this), std::string(one->name), held->member);
    }
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

  static constexpr std::string_view no_number = "its conn or burst is no whole number";
  static constexpr Duration wait_least = std::chrono::milliseconds(1);

  // What a limit asks about a request.
  struct Asked {
    std::string_view key;
    std::int64_t conn, most;
  };
  static std::optional<Asked> ask_of(Exchange& x, const Limit& limit) {
    const auto conn = limit.conn.of(x, 1), burst = limit.burst.of(x, 0);
    const auto key = limit.key.of(x);
    if (!conn || !burst || !key) return std::nullopt;
    return Asked{*key, *conn, *conn + *burst};
  }

  void hold(Exchange& x, const Held& one) const {
    auto& held = x.state<AllHeld>(*this);
    Held* made = x.arena.make<Held>(one);
    made->next = held.first;
    held.first = made;
  }

  plugin::VerdictTask access_by_redis(Exchange& x) const {
    auto& redis = x.local<plugin::Redis>(*this);
    if (!redis.is_set_up()) redis.set_up(redis_);
    auto& held = x.state<AllHeld>(*this);
    append_uuid(held.member);
    Duration wait{};
    bool counted = false;
    for (std::size_t i = 0; i < limits_.size(); ++i) {
      const auto asked = ask_of(x, limits_[i]);
      if (!asked && by_rules_) continue;
      if (!asked) co_return uncounted(x, no_number);
      counted = true;
      std::string name = scope_ + std::to_string(i) + ":" + std::string(asked->key);
      const auto conn = static_cast<std::uint64_t>(asked->conn);
      auto entering = plugin::enter(redis, name, held.member, asked->most, key_ttl_);
      const auto entered = co_await entering;
      if (!entered) co_return uncounted(x, entered.error().what);
      if (entered->outcome == ConcurrencyCounters::Outcome::rejected) co_return rejection_.verdict();
      hold(x, {0, x.arena.copy(name), nullptr});
      wait += delay(*entered, conn);
    }
    if (!counted) co_return uncounted(x, "no rule applies");
    if (wait >= wait_least) {
      auto pausing = pause(x, wait);
      co_await pausing;
    }
    co_return plugin::pass();
  }

  plugin::VerdictTask pause(Exchange& x, Duration time) const {
    x.state<AllHeld>(*this).waited = time;
    co_await x.worker.loop.sleep_until(after(x.worker.loop.now(), time));
    co_return plugin::pass();
  }

  plugin::Verdict uncounted(const Exchange& x, std::string_view why) const {
    if (x.stream != nullptr)
      log::error("limit-conn: a connection to {} cannot be counted: {}", x.server.text(), why);
    else log::error("limit-conn: a request for {} cannot be counted: {}", x.request.path, why);
    return allow_degradation_ ? plugin::pass() : plugin::reply(500);
  }

  Duration default_delay_;
  bool only_default_, allow_degradation_, by_rules_ = false;
  plugin::Rejection rejection_;
  plugin::RedisConfig redis_;
  std::int64_t key_ttl_;
  std::string scope_;  // of keys in Redis
  std::vector<Limit> limits_;
};

extern constexpr plugin::PluginType limit_conn = plugin::plugin<LimitConn>({
    .name = "limit-conn",
    .summary =
        "Bounds the requests, or the connections of a stream route, of one key that are under way at once.",
    .priority = 1003,
    .example =
        R"({"conn": 1, "burst": 0, "default_conn_delay": 0.1, "key": "remote_addr", "rejected_code": 429})",
});

}  // namespace sluice::plugins
