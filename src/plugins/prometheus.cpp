// SPDX-License-Identifier: Apache-2.0
#include "plugin/exchange.h"
#include "plugin/metrics.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using plugin::Metric;

// Labels of one metric that are left empty; `type` and `code` cannot be.
std::uint32_t bits_of(Metric metric, const std::vector<std::string>& disabled, std::string_view name,
                      json::Fields& field) {
  std::uint32_t bits = 0;
  const auto labels = plugin::label_names(metric);
  for (const auto& label : disabled) {
    std::size_t at = 0;
    while (at < labels.size() && labels[at] != label) ++at;
    const bool good = at < labels.size() && label != "code";
    field.check(good, name, "names " + label + ", which is no label that can be left out");
    if (good) bits |= 1U << at;
  }
  return bits;
}

constexpr char claim_owner = 0;

}  // namespace

// Counts requests for Prometheus: status, latency and bytes, by route, service, consumer and node.
class Prometheus final : public plugin::Plugin {
 public:
  struct Config {
    bool prefer_name = false;
    void describe(json::Fields& field) {
      field("prefer_name", prefer_name, "Labels routes and services with their names instead of their ids.");
      field.open();
    }
  };

  struct Disabled {
    std::vector<std::string> http_status, http_latency, bandwidth;
    plugin::DisabledLabels bits;
    void describe(json::Fields& field) {
      field("http_status", http_status, "Labels of http_status that are left empty.");
      field("http_latency", http_latency, "Labels of http_latency that are left empty.");
      field("bandwidth", bandwidth, "Labels of bandwidth that are left empty.");
      for (const std::string_view other :
           {"llm_latency", "llm_prompt_tokens", "llm_completion_tokens", "llm_active_connections",
            "llm_prompt_tokens_dist", "llm_completion_tokens_dist", "ai_cache_hits_total",
            "ai_cache_misses_total", "ai_cache_bypasses_total", "ai_cache_embedding_latency"})
        field.dropped(other, "this metric does not exist here");
      if (!field.reading()) return;
      bits.of[0] = bits_of(Metric::http_status, http_status, "http_status", field);
      bits.of[1] = bits_of(Metric::http_latency, http_latency, "http_latency", field);
      bits.of[2] = bits_of(Metric::bandwidth, bandwidth, "bandwidth", field);
    }
  };
  struct Metadata {
    Disabled disabled_labels;
    void describe(json::Fields& field) {
      field("disabled_labels", disabled_labels,
            "Labels to leave empty, by metric, so that there are fewer series.");
      field.open();
    }
  };

  explicit Prometheus(const Config& config)
      : naming_(config.prefer_name ? plugin::Metrics::Naming::by_name : plugin::Metrics::Naming::by_id) {}

  // What a scrape gets, for a route with plugin public-api.
  static plugin::VerdictTask answer(Exchange& x) {
    if (!x.worker.metrics_text) co_return plugin::reply(404);
    auto asking = x.worker.metrics_text();
    auto told = co_await asking;
    co_return std::make_unique<http::Reply>(std::move(told));
  }

  void stream_log(Exchange& x) const override { x.worker.metrics.record_stream(x, naming_); }

  // A request is counted once, by the plugin nearest to its route: the last one to come by here.
  void response(Exchange& x) const override { x.state<Claim>(claim_owner).by = this; }

  void log(Exchange& x) const override {
    auto& claim = x.state<Claim>(claim_owner);
    if (claim.by == nullptr) claim.by = this;  // there was no response
    if (claim.by != this) return;
    x.worker.metrics.record(x, naming_, x.metadata<Prometheus>().disabled_labels.bits);
  }

 private:
  struct Claim {
    const Prometheus* by = nullptr;
  };
  plugin::Metrics::Naming naming_;
};

constexpr plugin::PublicApi prometheus_apis[] = {
    {"GET", "/apisix/prometheus/metrics", &Prometheus::answer}};

extern constexpr plugin::PluginType prometheus = plugin::plugin<Prometheus>({
    .name = "prometheus",
    .summary =
        "Counts requests for Prometheus: status, latency and bytes, by route, service, consumer and node.",
    .priority = 500,
    .example = R"({"prefer_name": true})",
    .apis = prometheus_apis,
});

}  // namespace sluice::plugins
