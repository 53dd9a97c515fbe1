// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <map>
#include <mutex>
#include <unordered_set>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "http/field_lines.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/leaf.h"
#include "plugin/limit.h"
#include "plugin/redis_counters.h"
#include "plugin/rejection.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using plugin::WindowCounters;
using Outcome = WindowCounters::Outcome;
using plugin::Amount;
using plugin::KeyType;
using Written = plugin::WrittenAmount;

enum class WindowType : std::uint8_t { fixed, sliding };
inline json::Names enum_names(WindowType) {
  static constexpr std::string_view names[]{"fixed", "sliding"};
  return names;
}
// Members of a group share counters, so they have to say the same: who is in which, with what config.
class Groups {
 public:
  bool differs(const std::string& group, const std::string& config) {
    const std::lock_guard lock(mutex_);
    const auto found = groups_.find(group);
    return found != groups_.end() && found->second.config != config;
  }
  void join(const std::string& group, const std::string& config) {
    const std::lock_guard lock(mutex_);
    auto& entry = groups_[group];
    entry.config = config;
    ++entry.members;
  }
  void leave(const std::string& group) {
    const std::lock_guard lock(mutex_);
    const auto found = groups_.find(group);
    if (--found->second.members == 0) groups_.erase(found);
  }
  static Groups& all() {
    static Groups groups;
    return groups;
  }

 private:
  struct Group {
    std::string config;
    std::size_t members = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Group> groups_;
};

}  // namespace

// Admits a number of requests of one key in a window of time, exactly, across all workers.
class LimitCount final : public plugin::Plugin {
 public:
  struct RuleConfig {
    Written count, time_window;
    std::string key, header_prefix;
    void describe(json::Fields& field) {
      field("count", count, "Requests admitted in a window: a number, or a text with $variables.")
          .required().more_than(0);
      field("time_window", time_window, "Seconds of the window: a number, or a text with $variables.")
          .required().more_than(0);
      field("key", key,
            "What is counted by, with $variables; a rule none of whose variables is there is left out.")
          .required();
      field("header_prefix", header_prefix,
            "Stands in the names of this rule's headers: X-PREFIX-RateLimit-Limit; the rule's number when "
            "absent.");
      field.open();
      if (field.reading() && !header_prefix.empty())
        field.check(http::valid_name(header_prefix), "header_prefix",
                    "stands in the name of a header, which has no blanks, colons or letters beyond ASCII");
    }
  };

  struct Config {
    std::optional<Written> count, time_window;
    WindowType window_type = WindowType::fixed;
    std::vector<RuleConfig> rules;
    std::string group, key = "remote_addr";
    KeyType key_type = KeyType::var;
    plugin::Rejection rejection{.status = 503, .message = {}};
    plugin::RedisConfig redis;
    bool allow_degradation = false, show_limit_quota_header = true;

    void describe(json::Fields& field) {
      field("count", count, "Requests admitted in a window: a number, or a text with $variables.")
          .more_than(0);
      field("time_window", time_window, "Seconds of the window: a number, or a text with $variables.")
          .more_than(0);
      field("window_type", window_type,
            "fixed: a window begins with a key's first request; sliding: the last window fades out.");
      field("rules", rules, "Several limits, each with a key of its own, instead of count and time_window.");
      field("group", group, "Routes of one group share their counters; their configs must be equal.");
      field("key", key, "What is counted by: a variable, a text with $variables, or a constant (key_type).");
      field("key_type", key_type, "How key is meant.");
      rejection.describe(field, 200, 599);
      redis.describe(field);
      field("allow_degradation", allow_degradation, "Lets requests pass that cannot be counted.");
      field("show_limit_quota_header", show_limit_quota_header,
            "Tells limit, remaining requests and seconds to the reset in headers.");
      field.dropped("sync_interval", "every request is counted at once, and exactly");
      field.open();
      const bool mixed = (field.has("count") || field.has("time_window")) && field.has("rules");
      field.check_plainly(!mixed, "rules", "does not go with count and time_window",
                          "count/time_window and rules cannot be specified at the same time");
      if (!mixed) field.exactly_one_group_of({{"count", "time_window"}, {"rules"}});
      if (field.reading()) check(field);
    }

    void check(json::Fields& field) const {
      field.check_plainly(group.empty() || rules.empty(), "group", "does not go with rules",
                          "group and rules cannot be specified at the same time");
      std::unordered_set<std::string_view> keys;
      for (const auto& rule : rules)
        field.check_plainly(keys.insert(rule.key).second, "rules", "names the key " + rule.key + " twice",
                            "duplicate key '" + rule.key + "' in rules");
      if (!field.failed() && !group.empty())
        field.check_plainly(!Groups::all().differs(group, fingerprint()), "group",
                            "has members with another config: all of them must be equal",
                            "group conf mismatched");
    }
    std::string fingerprint() const { return json::dump(json::write(*this)); }
  };

  struct Metadata {
    http::FieldName limit_header{"X-RateLimit-Limit"}, remaining_header{"X-RateLimit-Remaining"},
        reset_header{"X-RateLimit-Reset"};
    void describe(json::Fields& field) {
      field("limit_header", limit_header, "The header that tells the limit.");
      field("remaining_header", remaining_header, "The header that tells how many requests remain.");
      field("reset_header", reset_header, "The header that tells the seconds until the limit is reset.");
      field.open();
      const bool differ = limit_header != remaining_header && limit_header != reset_header &&
                          remaining_header != reset_header;
      if (field.reading()) field.check(differ, "", "three headers need three names");
    }
  };

  LimitCount(const Config& config, std::string_view owner)
      : window_type_(config.window_type),
        allow_degradation_(config.allow_degradation),
        show_quota_(config.show_limit_quota_header),
        group_(config.group),
        rejection_(config.rejection),
        redis_(config.redis),
        scope_(plugin::redis_scope("limit-count", group_.empty() ? owner : "group " + group_,
                                   json::write(config))) {
    const std::uint64_t identity = group_.empty() ? plugin::own_identity() : hash64("limit-count " + group_);
    if (!group_.empty()) Groups::all().join(group_, config.fingerprint());
    if (config.rules.empty()) {
      limits_.push_back({Amount(*config.count), Amount(*config.time_window),
                         plugin::LimitKey(config.key_type, config.key), identity, {},
                         fixed_text(Amount(*config.count))});
    }
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
      const auto& rule = config.rules[i];
      limits_.push_back({Amount(rule.count), Amount(rule.time_window),
                         plugin::LimitKey(KeyType::var_combination, rule.key, true),
                         combine_hashes(identity, i),
                         rule.header_prefix.empty() ? std::to_string(i + 1) : rule.header_prefix,
                         fixed_text(Amount(rule.count))});
    }
  }
  LimitCount(const LimitCount&) = delete;
  ~LimitCount() override {
    if (!group_.empty()) Groups::all().leave(group_);
  }

  plugin::VerdictTask access(Exchange& x) const override {
    if (!redis_.is_local()) return access_by_redis(x);
    bool counted = false;
    for (const Limit& limit : limits_) {
      const auto key = limit.key.of(x);
      if (!key) continue;
      counted = true;
      const auto count = limit.count.of(x, 1), seconds = limit.window.of(x, 1);
      if (!count || !seconds) return uncounted(x, no_number);
      const auto taken = take(x, limit, hash64(*key), *count, *seconds);
      if (taken.outcome == Outcome::full) return uncounted(x, "there is no room for another key");
      if (show_quota_) note(x, limit, *count, taken);
      if (taken.outcome == Outcome::rejected) return rejection_.verdict();
    }
    if (!counted) return uncounted(x, "no rule applies");
    return plugin::pass();
  }

  void response(Exchange& x) const override {
    const auto* quotas = x.existing_state<Quotas>(*this);
    if (quotas == nullptr) return;
    for (const Quota* quota = quotas->first; quota != nullptr; quota = quota->next) tell(x, *quota);
  }

 private:
  struct Limit {
    Amount count, window;
    plugin::LimitKey key;
    std::uint64_t identity;
    std::string prefix;
    std::string count_text;  // of a count that is fixed
  };
  static std::string fixed_text(const Amount& count) {
    return count.is_fixed() ? std::to_string(*count.fixed()) : std::string();
  }

  struct Quota {
    std::string_view prefix, limit;
    std::uint64_t remaining;
    Duration reset;
    Quota* next;
  };
  struct Quotas {
    Quota* first = nullptr;
  };

  static constexpr std::string_view no_number = "its count or time_window is no whole number above 0";

  plugin::VerdictTask access_by_redis(Exchange& x) const {
    auto& redis = x.local<plugin::Redis>(*this);
    if (!redis.is_set_up()) redis.set_up(redis_);
    bool counted = false;
    for (std::size_t i = 0; i < limits_.size(); ++i) {
      const Limit& limit = limits_[i];
      const auto key = limit.key.of(x);
      if (!key) continue;
      counted = true;
      const auto count = limit.count.of(x, 1), seconds = limit.window.of(x, 1);
      if (!count || !seconds) co_return uncounted(x, no_number);
      std::string name = scope_ + std::to_string(i) + ":";
      if (!limit.window.is_fixed()) name += std::to_string(*seconds) + ":";
      name += *key;
      auto taking = window_type_ == WindowType::fixed
                        ? plugin::take_fixed(redis, std::move(name), *count, *seconds)
                        : plugin::take_sliding(redis, std::move(name), *count, *seconds);
      const auto taken = co_await taking;
      if (!taken) co_return uncounted(x, taken.error().what);
      if (show_quota_) note(x, limit, *count, *taken);
      if (taken->outcome == Outcome::rejected) co_return rejection_.verdict();
    }
    if (!counted) co_return uncounted(x, "no rule applies");
    co_return plugin::pass();
  }

  WindowCounters::Taken take(Exchange& x, const Limit& limit, std::uint64_t key, std::int64_t count,
                             std::int64_t seconds) const {
    key = combine_hashes(key, limit.identity);
    if (!limit.window.is_fixed()) key = combine_hashes(key, static_cast<std::uint64_t>(seconds));
    constexpr std::int64_t seconds_max = 1'000'000'000;
    const Duration window = std::chrono::seconds(std::min(seconds, seconds_max));
    const auto now = x.worker.loop.now();
    auto& counters = WindowCounters::shared();
    return window_type_ == WindowType::fixed
               ? counters.take_fixed(key, static_cast<std::uint64_t>(count), window, now)
               : counters.take_sliding(key, static_cast<std::uint64_t>(count), window, now);
  }

  void note(Exchange& x, const Limit& limit, std::int64_t count, const WindowCounters::Taken& taken) const {
    auto& quotas = x.state<Quotas>(*this);
    std::string_view limit_text = limit.count_text;
    if (char text[number_max]; limit_text.empty())
      limit_text = x.arena.copy(number_text(text, static_cast<std::uint64_t>(count)));
    quotas.first = x.arena.make<Quota>(
        Quota{limit.prefix, limit_text, taken.remaining, taken.reset, quotas.first});
  }

  plugin::Verdict uncounted(Exchange& x, std::string_view why) const {
    log::error("limit-count: a request for {} cannot be counted: {}", x.request.path, why);
    if (allow_degradation_) return plugin::pass();
    return plugin::reply_json(500, json::Value::object({{"error_msg", "failed to limit count"}}));
  }

  // "X-RateLimit-Limit" with the prefix a is "X-a-RateLimit-Limit".
  static http::FieldName with_prefix(const http::FieldName& name, std::string_view prefix) {
    std::string text(name.text());
    if (const std::size_t at = text.find("RateLimit-"); at != std::string::npos)
      text.insert(at, std::string(prefix) + "-");
    return http::FieldName(text);
  }

  static void tell(Exchange& x, const Quota& quota) {
    const Metadata& names = x.metadata<LimitCount>();
    if (quota.prefix.empty())
      return tell(x, quota, names.limit_header, names.remaining_header, names.reset_header);
    tell(x, quota, with_prefix(names.limit_header, quota.prefix),
         with_prefix(names.remaining_header, quota.prefix), with_prefix(names.reset_header, quota.prefix));
  }

  static void tell(Exchange& x, const Quota& quota, const http::FieldName& limit,
                   const http::FieldName& remaining, const http::FieldName& reset) {
    auto& headers = x.response.headers;
    const std::string_view texts[] = {limit.text(), remaining.text(), reset.text()};
    if (http::NameLengths(texts[0], texts[1], texts[2]).may_be_in(headers))
      for (const auto* name : {&limit, &remaining, &reset}) headers.remove(*name);
    constexpr std::size_t values_max = 3 * (number_max + http::FieldLines::line_bytes);
    http::FieldLines lines(headers, texts[0].size() + texts[1].size() + texts[2].size() + values_max);
    char text[number_max];
    lines.add(limit, quota.limit);
    lines.add(remaining, number_text(text, quota.remaining));
    lines.add(reset, seconds_text(text, quota.reset));
  }

  static constexpr std::size_t number_max = 24;
  using NumberText = char (&)[number_max];

  static std::string_view number_text(NumberText text, std::uint64_t value) {
    return {text, std::to_chars(text, text + number_max, value).ptr};
  }

  // Seconds, in hundredths, rounded up: "60", "0.5", "59.99".
  static std::string_view seconds_text(NumberText text, Duration time) {
    const auto hundredths = static_cast<std::uint64_t>(time.count() + 9'999'999) / 10'000'000;
    char* end = text + number_text(text, hundredths / 100).size();
    if (const auto rest = hundredths % 100; rest != 0) {
      *end++ = '.';
      *end++ = static_cast<char>('0' + rest / 10);
      if (rest % 10 != 0) *end++ = static_cast<char>('0' + rest % 10);
    }
    return {text, end};
  }

  WindowType window_type_;
  bool allow_degradation_, show_quota_;
  std::string group_;
  plugin::Rejection rejection_;
  plugin::RedisConfig redis_;
  std::string scope_;  // of keys in Redis
  std::vector<Limit> limits_;
};

extern constexpr plugin::PluginType limit_count = plugin::plugin<LimitCount>({
    .name = "limit-count",
    .summary = "Admits a number of requests of one key in a window of time, exactly, across all workers.",
    .priority = 1002,
    .example = R"({"count": 100, "time_window": 60, "key": "remote_addr", "rejected_code": 429})",
});

}  // namespace sluice::plugins
