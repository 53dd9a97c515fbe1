// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.h"
#include "plugin/exchange.h"
#include "plugin/leaf.h"

namespace sluice::plugins {

using plugin::Exchange;

// Admits or refuses a request by its User-Agent.
class UaRestriction final : public plugin::Plugin {
 public:
  struct Config {
    std::vector<Regex> allowlist, denylist;
    bool bypass_missing = false;
    std::string message = "Not allowed";

    void describe(json::Fields& field) {
      field("allowlist", allowlist, "Patterns of clients to admit; every other one is refused.")
          .min_items(1).items().length(1, Regex::pattern_bytes_max);
      field("denylist", denylist, "Patterns of clients to refuse; every other one is admitted.")
          .min_items(1).items().length(1, Regex::pattern_bytes_max);
      field("bypass_missing", bypass_missing, "Admits requests without a User-Agent.");
      field("message", message, "What the refusal says.").length(1, 1024);
      field.exactly_one_of({"allowlist", "denylist"});
      field.open();
    }
  };

  explicit UaRestriction(const Config& config)
      : patterns_(config.allowlist.empty() ? config.denylist : config.allowlist),
        listed_are_admitted_(!config.allowlist.empty()),
        bypass_missing_(config.bypass_missing),
        message_(config.message) {}

  // Of several fields one that is listed decides.
  plugin::VerdictTask access(Exchange& x) const override {
    const auto& headers = x.request.headers;
    if (!headers.has(http::HeaderId::user_agent))
      return bypass_missing_ ? plugin::pass() : plugin::reply_message(403, message_);
    const bool listed = std::ranges::any_of(headers, [this](const http::Header& field) {
      return field.id == http::HeaderId::user_agent && is_listed(trim(field.value));
    });
    return listed == listed_are_admitted_ ? plugin::pass() : plugin::reply_message(403, message_);
  }

 private:
  // A pattern that runs out of its budget counts against the client.
  bool is_listed(std::string_view agent) const {
    return std::ranges::any_of(patterns_, [&](const Regex& pattern) {
      const auto outcome = pattern.match(agent);
      return outcome == Regex::Outcome::match ||
             (outcome == Regex::Outcome::exhausted && !listed_are_admitted_);
    });
  }

  std::vector<Regex> patterns_;
  bool listed_are_admitted_, bypass_missing_;
  std::string message_;
};

extern constexpr plugin::PluginType ua_restriction = plugin::plugin<UaRestriction>({
    .name = "ua-restriction",
    .summary = "Admits or refuses a request by its User-Agent.",
    .priority = 2999,
    .example = R"x({"denylist": ["(Twitterspider)/(\\d+)\\.(\\d+)"], "bypass_missing": true})x",
});

}  // namespace sluice::plugins
