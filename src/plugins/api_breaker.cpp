// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/hash.h"
#include "plugin/breakers.h"
#include "plugin/exchange.h"
#include "plugin/header_edits.h"
#include "plugin/limit.h"

namespace sluice::plugins {
namespace {

using plugin::Breakers;
using plugin::Exchange;

struct Healthy {
  std::vector<int> http_statuses{200};
  std::uint64_t successes = 3;

  void describe(json::Fields& field) {
    field("http_statuses", http_statuses, "Statuses that count as a success.")
        .min_items(1)
        .unique()
        .items()
        .range(200, 499);
    field("successes", successes, "Successes in a row that close the breaker for good.").at_least(1);
    field.open();
  }
};

struct Unhealthy {
  std::vector<int> http_statuses{500};
  std::uint64_t failures = 3;

  void describe(json::Fields& field) {
    field("http_statuses", http_statuses, "Statuses that count as a failure.")
        .min_items(1)
        .unique()
        .items()
        .range(500, 599);
    field("failures", failures, "Failures that open the breaker, and again at each multiple.").at_least(1);
    field.open();
  }
};

struct BreakHeader {
  std::string key, value;

  void describe(json::Fields& field) {
    field("key", key, "Name of the header.").required().length(1, 256);
    field("value", value, "Its value, with $variables.").required().length(1, 65536);
    field.open();
  }
};

}  // namespace

// Holds requests off an upstream that fails, for two seconds at first, then four, and so on. Requests of one
// host and path have a breaker of their own on each route.
class ApiBreaker final : public plugin::Plugin {
 public:
  struct Config {
    int break_response_code = 502;
    std::optional<std::string> break_response_body;
    std::vector<BreakHeader> break_response_headers;
    std::int64_t max_breaker_sec = 300;
    Healthy healthy;
    Unhealthy unhealthy;

    void describe(json::Fields& field) {
      field("break_response_code", break_response_code, "Status of the answer while the breaker is open.")
          .required().range(200, 599);
      field("break_response_body", break_response_body,
            "Body of that answer; a page for the status when absent.");
      field("break_response_headers", break_response_headers,
            "Header fields of that answer; sent with the body only.");
      field("max_breaker_sec", max_breaker_sec, "Seconds the breaker is open at the longest.").at_least(3);
      field("healthy", healthy, "What closes the breaker.");
      field("unhealthy", unhealthy, "What opens the breaker.");
      field.open();
    }
  };

  explicit ApiBreaker(Config config)
      : config_(std::move(config)),
        fields_(fields_of(config_)),
        limits_{config_.unhealthy.failures, config_.healthy.successes,
                std::chrono::seconds(std::min<std::int64_t>(config_.max_breaker_sec, 86'400 * 365))},
        identity_(plugin::own_identity()) {}

  plugin::VerdictTask access(Exchange& x) const override {
    if (!Breakers::shared().is_open(key_of(x), x.worker.loop.now())) return plugin::pass();
    if (!config_.break_response_body) return plugin::reply(config_.break_response_code);
    auto verdict = plugin::reply(config_.break_response_code, *config_.break_response_body);
    fields_.add_to(*verdict, x);
    return verdict;
  }

  void log(Exchange& x) const override {
    const int status = x.upstream.status;
    if (status == 0) return;
    const auto is_one_of = [status](const std::vector<int>& listed) {
      return std::ranges::find(listed, status) != listed.end();
    };
    if (is_one_of(config_.unhealthy.http_statuses))
      Breakers::shared().failed(key_of(x), limits_, x.worker.loop.now());
    else if (is_one_of(config_.healthy.http_statuses))
      Breakers::shared().succeeded(key_of(x), limits_, x.worker.loop.now());
  }

 private:
  static plugin::ReplyFields fields_of(const Config& config) {
    plugin::HeaderMap<plugin::HeaderText> map;
    for (const auto& [key, value] : config.break_response_headers)
      map.emplace_back(key, plugin::HeaderText{value});
    return plugin::ReplyFields(map);
  }

  std::uint64_t key_of(const Exchange& x) const {
    return combine_hashes(combine_hashes(hash64(x.request.host), hash64(x.request.path)), identity_);
  }

  Config config_;
  plugin::ReplyFields fields_;
  Breakers::Limits limits_;
  std::uint64_t identity_;
};

extern constexpr plugin::PluginType api_breaker = plugin::plugin<ApiBreaker>({
    .name = "api-breaker",
    .summary = "Holds requests off an upstream that fails, for longer the more often it does.",
    .priority = 1005,
    .example = R"({"break_response_code": 503, "unhealthy": {"http_statuses": [500, 503], "failures": 2},
                   "healthy": {"http_statuses": [200], "successes": 2}})",
});

}  // namespace sluice::plugins
