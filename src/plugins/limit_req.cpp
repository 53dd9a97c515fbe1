// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "base/log.h"
#include "plugin/exchange.h"
#include "plugin/leaky_buckets.h"
#include "plugin/limit.h"
#include "plugin/rejection.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using plugin::LeakyBuckets;

enum class Policy : std::uint8_t { local, redis, redis_cluster };
inline json::Names enum_names(Policy) {
  static constexpr std::string_view names[]{"local", "redis", "redis-cluster"};
  return names;
}

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
    Policy policy = Policy::local;
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
      field("policy", policy, "Where requests are counted: in this process, exactly across its workers.");
      field("allow_degradation", allow_degradation, "Lets requests pass that cannot be counted.");
      rejection.describe(field, 200, 599);
      field.open();
      if (field.reading())
        field.check(
            policy == Policy::local, "policy",
            "counts in Redis, which this version cannot ask yet: use \"local\", which counts exactly across "
            "the workers of this process");
    }
  };

  explicit LimitReq(const Config& config)
      : rate_(config.rate),
        burst_(config.burst),
        key_(config.key_type, config.key),
        identity_(plugin::own_identity()),
        nodelay_(config.nodelay),
        allow_degradation_(config.allow_degradation),
        rejection_(config.rejection) {}

  plugin::VerdictTask access(Exchange& x) const override {
    const std::uint64_t key = combine_hashes(*key_.of(x), identity_);
    const auto taken = LeakyBuckets::shared().take(key, rate_, burst_, x.worker.loop.now());
    switch (taken.outcome) {
      case LeakyBuckets::Outcome::rejected: return rejection_.verdict();
      case LeakyBuckets::Outcome::full: return uncounted(x);
      case LeakyBuckets::Outcome::admitted: break;
    }
    if (nodelay_ || taken.wait < wait_least) return plugin::pass();
    return wait(x, taken.wait);
  }

 private:
  static plugin::VerdictTask wait(Exchange& x, Duration time) {
    co_await x.worker.loop.sleep_until(after(x.worker.loop.now(), time));
    co_return plugin::pass();
  }

  plugin::Verdict uncounted(const Exchange& x) const {
    log::error("limit-req: a request for {} cannot be counted: there is no room for another key",
               x.request.path);
    return allow_degradation_ ? plugin::pass() : plugin::reply(500);
  }

  double rate_, burst_;
  plugin::LimitKey key_;
  std::uint64_t identity_;
  bool nodelay_, allow_degradation_;
  plugin::Rejection rejection_;
};

extern constexpr plugin::PluginType limit_req = plugin::plugin<LimitReq>({
    .name = "limit-req",
    .summary = "Evens out requests of one key: so many a second, so many more wait their turn.",
    .priority = 1001,
    .example = R"({"rate": 10, "burst": 5, "key": "remote_addr", "rejected_code": 429})",
});

}  // namespace sluice::plugins
