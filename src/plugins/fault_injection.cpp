// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "base/bounded.h"
#include "base/random.h"
#include "plugin/exchange.h"
#include "plugin/header_edits.h"
#include "plugin/leaf.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

constexpr double delay_max = 86'400;  // seconds

// Which requests are hit: a share of them, and only those that one of the conditions holds for.
struct Aim {
  std::optional<int> percentage;
  std::vector<plugin::Conditions> vars;

  void describe(json::Fields& field) {
    field("percentage", percentage, "How many of a hundred requests are hit, at random; all when absent.")
        .range(0, 100);
    field("vars", vars, "Conditions over variables, one of which has to hold.").max_items(20);
  }
  bool hits(Exchange& x) const {
    if (percentage && thread_random().below(100) >= static_cast<std::uint64_t>(*percentage)) return false;
    return vars.empty() || std::ranges::any_of(vars, [&](const auto& one) { return one.hold(x); });
  }
};

struct Abort : Aim {
  int http_status = 0;
  std::string body;
  plugin::HeaderMap<plugin::HeaderText> headers;

  void describe(json::Fields& field) {
    field("http_status", http_status, "Status of the answer.").required().range(200, 999);
    field("body", body, "Body of the answer, with $variables; a page for the status when absent.");
    field("headers", headers, "Header fields of the answer, with $variables.")
        .min_properties(1)
        .key_pattern("^[^:]+$");
    Aim::describe(field);
    field.open();
  }
};

struct Delay : Aim {
  double duration = 0;

  void describe(json::Fields& field) {
    field("duration", duration, "Seconds to wait.").required().range(0, delay_max);
    Aim::describe(field);
    field.open();
  }
};

}  // namespace

// Makes requests fail or wait, to see how clients take it.
class FaultInjection final : public plugin::Plugin {
 public:
  struct Config {
    std::optional<Abort> abort;
    std::optional<Delay> delay;

    void describe(json::Fields& field) {
      field("abort", abort, "An answer instead of the upstream's.");
      field("delay", delay, "A wait before the upstream is asked, or the answer of abort given.");
      field.open();
      if (field.reading())
        field.check_plainly(field.has("abort") || field.has("delay"), "abort", "is missing, and delay too",
                            "expect object to have at least 1 properties");
    }
  };

  explicit FaultInjection(Config config) : config_(std::move(config)) {
    if (!config_.abort) return;
    body_ = plugin::Template::compile(config_.abort->body, plugin::find_variable);
    fields_ = plugin::ReplyFields(config_.abort->headers);
  }

  plugin::VerdictTask rewrite(Exchange& x) const override {
    if (config_.delay && config_.delay->duration > 0 && config_.delay->hits(x)) return wait_and_abort(x);
    return abort(x);
  }

 private:
  plugin::VerdictTask wait_and_abort(Exchange& x) const {
    const auto wait = bounded_seconds(config_.delay->duration);
    co_await x.worker.loop.sleep_until(x.worker.loop.now() + wait);
    co_return abort(x);
  }

  plugin::Verdict abort(Exchange& x) const {
    if (!config_.abort || !config_.abort->hits(x)) return plugin::pass();
    const int status = config_.abort->http_status;
    auto verdict = config_.abort->body.empty() ? plugin::reply(status) : plugin::reply(status, std::string());
    if (!config_.abort->body.empty()) body_.render(x, verdict->body);
    fields_.add_to(*verdict, x);
    return verdict;
  }

  Config config_;
  plugin::Template body_;
  plugin::ReplyFields fields_;
};

extern constexpr plugin::PluginType fault_injection = plugin::plugin<FaultInjection>({
    .name = "fault-injection",
    .summary = "Makes requests fail or wait, to see how clients take it.",
    .priority = 11000,
    .example = R"({"abort": {"http_status": 503, "body": "out of order", "percentage": 50,
                    "vars": [[["arg_name", "==", "jack"]]]}, "delay": {"duration": 0.01}})",
});

}  // namespace sluice::plugins
