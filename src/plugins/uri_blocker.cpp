// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plugin/exchange.h"
#include "plugin/leaf.h"
#include "plugin/rejection.h"

namespace sluice::plugins {

using plugin::Exchange;

// Refuses requests whose target, path and query as the client wrote them, matches a pattern.
class UriBlocker final : public plugin::Plugin {
 public:
  struct Config {
    std::vector<std::string> block_rules;
    bool case_insensitive = false;
    plugin::Rejection rejection{.status = 403};

    void describe(json::Fields& field) {
      field("block_rules", block_rules, "Patterns of targets to refuse.")
          .required().unique().items().length(1, 4096);
      field("case_insensitive", case_insensitive, "Patterns match without case.");
      rejection.describe(field, 200, 999);
      field.open();
      if (!field.reading()) return;
      for (const std::string& rule : block_rules) {
        if (const auto pattern = Regex::compile(rule); !pattern)
          field.check_plainly(false, "block_rules", rule + ": " + pattern.error().what,
                              pattern.error().what);
      }
    }
  };

  explicit UriBlocker(const Config& config) : rejection_(config.rejection) {
    const std::string_view flags = config.case_insensitive ? "i" : "";
    if (auto all = Regex::compile(alternatives(config.block_rules), flags);
        all && all->engine() == Regex::Engine::re2) {
      patterns_.push_back(std::move(*all));
      return;
    }
    for (const std::string& rule : config.block_rules) patterns_.push_back(*Regex::compile(rule, flags));
  }

  // A pattern that runs out of its budget refuses.
  plugin::VerdictTask rewrite(Exchange& x) const override {
    const bool blocked = std::ranges::any_of(patterns_, [&](const Regex& pattern) {
      return pattern.match(x.request.target) != Regex::Outcome::no_match;
    });
    return blocked ? rejection_.verdict() : plugin::pass();
  }

 private:
  // All of them in one pattern, so that fifty cost no more than one.
  static std::string alternatives(const std::vector<std::string>& rules) {
    std::string all;
    for (const std::string& rule : rules) all += (all.empty() ? "(?:" : "|(?:") + rule + ")";
    return all.empty() ? "[^\\x00-\\xff]" : all;
  }

  std::vector<Regex> patterns_;
  plugin::Rejection rejection_;
};

extern constexpr plugin::PluginType uri_blocker = plugin::plugin<UriBlocker>({
    .name = "uri-blocker",
    .summary = "Refuses requests whose target matches a pattern.",
    .priority = 2900,
    .example = R"({"block_rules": ["root\\.exe", "root\\.m+"], "rejected_code": 404})",
});

}  // namespace sluice::plugins
