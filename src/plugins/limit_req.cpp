// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "base/log.h"
#include "plugin/exchange.h"
#include "plugin/limit.h"
#include "plugin/redis_counters.h"
#include "plugin/rejection.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using plugin::LeakyBuckets;

constexpr double rate_max = 1e9, burst_max = 1e9;
constexpr Duration wait_least = std::chrono::milliseconds(1);

}  // namespace

// Evens out requests of one key: so many a second, so many more wait their turn (leaky bucket), exactly
// across all workers.
class LimitReq final : public plugin::Plugin {
 public:
  struct Config {
    double rate = 0, burst = 0;
    std::string key;
    plugin::KeyType key_type = plugin::KeyType::var;
    plugin::RedisConfig redis;
    bool nodelay = false, allow_degradation = false;
    plugin::Rejection rejection{.status = 503, .message = {}};

    void describe(json::Fields& field) {
      field("rate", rate, "Requests a second.").required().more_than(0).at_most(rate_max);
      field("burst", burst, "Requests that may wait beyond that; more are refused.")
          .required()
          .range(0, burst_max);
      field("key", key, "What is counted by: a variable, or a text with $variables (key_type).").required();
      field("key_type", key_type, "How key is meant.").one_of({"var", "var_combination"});
      field("nodelay", nodelay, "Requests within burst do not wait.");
      redis.describe(field);
      field("allow_degradation", allow_degradation, "Lets requests pass that cannot be counted.");
      rejection.describe(field, 200, 599);
      field.open();
    }
  };

  LimitReq(const Config& config, std::string_view owner)
      : rate_(config.rate),
        burst_(config.burst),
        key_(config.key_type, config.key),
        identity_(plugin::own_identity()),
        nodelay_(config.nodelay),
        allow_degradation_(config.allow_degradation),
        rejection_(config.rejection),
        redis_(config.redis),
        scope_(plugin::redis_scope("limit-req", owner, json::write(config))) {}

  plugin::VerdictTask access(Exchange& x) const override {
    const std::string_view key = *key_.of(x);
    if (!redis_.is_local()) return access_by_redis(x, scope_ + std::string(key));
    const auto now = x.worker.loop.now();
    const auto taken =
        LeakyBuckets::shared().take(combine_hashes(hash64(key), identity_), rate_, burst_, now);
    if (taken.outcome == LeakyBuckets::Outcome::full) return uncounted(x, "there is no room for another key");
    if (taken.outcome == LeakyBuckets::Outcome::rejected) return rejection_.verdict();
    if (nodelay_ || taken.wait < wait_least) return plugin::pass();
    return wait(x, taken.wait);
  }

 private:
  static plugin::VerdictTask wait(Exchange& x, Duration time) {
    co_await x.worker.loop.sleep_until(after(x.worker.loop.now(), time));
    co_return plugin::pass();
  }

  plugin::VerdictTask access_by_redis(Exchange& x, std::string key) const {
    auto& redis = x.local<plugin::Redis>(*this);
    if (!redis.is_set_up()) redis.set_up(redis_);
    auto taking = plugin::take_from_bucket(redis, std::move(key), rate_, burst_);
    const auto taken = co_await taking;
    if (!taken) co_return uncounted(x, taken.error().what);
    if (taken->outcome == LeakyBuckets::Outcome::rejected) co_return rejection_.verdict();
    if (!nodelay_ && taken->wait >= wait_least)
      co_await x.worker.loop.sleep_until(after(x.worker.loop.now(), taken->wait));
    co_return plugin::pass();
  }

  plugin::Verdict uncounted(const Exchange& x, std::string_view why) const {
    log::error("limit-req: a request for {} cannot be counted: {}", x.request.path, why);
    return allow_degradation_ ? plugin::pass() : plugin::reply(500);
  }

  double rate_, burst_;
  plugin::LimitKey key_;
  std::uint64_t identity_;
  bool nodelay_, allow_degradation_;
  plugin::Rejection rejection_;
  plugin::RedisConfig redis_;
  std::string scope_;  // of keys in Redis
};

extern constexpr plugin::PluginType limit_req = plugin::plugin<LimitReq>({
    .name = "limit-req",
    .summary = "Evens out requests of one key: so many a second, so many more wait their turn.",
    .priority = 1001,
    .example = R"({"rate": 10, "burst": 5, "key": "remote_addr", "rejected_code": 429})",
});

}  // namespace sluice::plugins
