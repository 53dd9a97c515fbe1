// SPDX-License-Identifier: Apache-2.0
// The sum of all workers' metrics and its text.
#include <fmt/format.h>

#include "plugin/metrics.h"

namespace sluice::plugin {
namespace {

void add_histogram(Metrics::Histogram& sum, const Metrics::Histogram& more) {
  if (sum.counts.size() < more.counts.size()) sum.counts.resize(more.counts.size());
  for (std::size_t i = 0; i < more.counts.size(); ++i) sum.counts[i] += more.counts[i];
  sum.sum_ns += more.sum_ns;
}

void head(const MetricsSettings& settings, std::string_view name, std::string_view type,
          std::string_view help, std::string& out) {
  fmt::format_to(std::back_inserter(out), "# HELP {0}{1} {2}\n# TYPE {0}{1} {3}\n", settings.prefix, name,
                 help, type);
}

void write_histogram(const MetricsSettings& settings, std::string_view type, std::string_view labels,
                     const Metrics::Histogram& histogram, std::string& out) {
  auto to = std::back_inserter(out);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    total += histogram.counts[i];
    const bool last = i == settings.buckets_ms.size();
    const std::string bound = last ? "+Inf" : std::to_string(settings.buckets_ms[i]);
    fmt::format_to(to, "{}http_latency_bucket{{type=\"{}\",{},le=\"{}\"}} {}\n", settings.prefix, type,
                   labels, bound, total);
  }
  fmt::format_to(
      to, "{0}http_latency_sum{{type=\"{1}\",{2}}} {3}\n{0}http_latency_count{{type=\"{1}\",{2}}} {4}\n",
      settings.prefix, type, labels, static_cast<double>(histogram.sum_ns) / 1e6, total);
}

bool seen(const Metrics::Histogram& histogram) {
  for (const auto count : histogram.counts)
    if (count != 0) return true;
  return false;
}

}  // namespace

void MetricsSum::add(const Metrics::Slice& slice) {
  for (const auto& [labels, count] : slice.status) status_[*labels] += count;
  for (const auto& [labels, count] : slice.streams) streams_[*labels] += count;
  for (const auto& [labels, more] : slice.latency) {
    auto& sums = latency_[*labels];
    add_histogram(sums.request, more.request);
    add_histogram(sums.upstream, more.upstream);
    add_histogram(sums.apisix, more.apisix);
  }
  for (const auto& [labels, more] : slice.bandwidth) {
    auto& sums = bandwidth_[*labels];
    sums.ingress += more.ingress;
    sums.egress += more.egress;
  }
}

void MetricsSum::add_dropped(const Metrics::Slice& slice) {
  for (std::size_t i = 0; i < metric_count; ++i) dropped_[i] += slice.dropped[i];
}

void MetricsSum::write_latency(const MetricsSettings& settings, std::string_view labels,
                               const Metrics::Slice::Latencies& sums, std::string& out) const {
  write_histogram(settings, "request", labels, sums.request, out);
  if (seen(sums.upstream)) write_histogram(settings, "upstream", labels, sums.upstream, out);
  write_histogram(settings, "apisix", labels, sums.apisix, out);
}

bool MetricsSum::write(const MetricsSettings& settings, std::size_t most, std::string& out) {
  auto to = std::back_inserter(out);
  const auto part = [&](const auto& map, std::string_view name, std::string_view type, std::string_view help,
                        const auto& line) {
    if (!begun_ && !map.empty()) head(settings, name, type, help, out);
    auto at = begun_ ? map.upper_bound(last_) : map.begin();
    begun_ = true;
    for (; at != map.end() && most > 0; ++at, --most) {
      line(at->first, at->second);
      last_ = at->first;
    }
    if (at != map.end()) return true;
    ++stage_;
    begun_ = false;
    return true;
  };
  switch (stage_) {
    case 0:
      return part(bandwidth_, "bandwidth", "counter", "Bytes of requests (ingress) and responses (egress).",
                  [&](std::string_view labels, const Metrics::Slice::Bytes& bytes) {
                    fmt::format_to(
                        to,
                        "{0}bandwidth{{type=\"ingress\",{1}}} {2}\n{0}bandwidth{{type=\"egress\",{1}}} {3}\n",
                        settings.prefix, labels, bytes.ingress, bytes.egress);
                  });
    case 1:
      return part(latency_, "http_latency", "histogram",
                  "Milliseconds of requests: in all, waiting for upstreams, and spent here.",
                  [&](std::string_view labels, const Metrics::Slice::Latencies& sums) {
                    write_latency(settings, labels, sums, out);
                  });
    case 2:
      return part(status_, "http_status", "counter", "Responses by status.",
                  [&](std::string_view labels, std::uint64_t count) {
                    fmt::format_to(to, "{}http_status{{{}}} {}\n", settings.prefix, labels, count);
                  });
    case 3:
      return part(streams_, "stream_connection_total", "counter", "Connections of stream routes.",
                  [&](std::string_view labels, std::uint64_t count) {
                    fmt::format_to(to, "{}stream_connection_total{{{}}} {}\n", settings.prefix, labels,
                                   count);
                  });
    case 4:
      ++stage_;
      head(settings, "metric_series_dropped_total", "counter",
           "Requests not counted because a metric has series_max series.", out);
      fmt::format_to(to, "{0}metric_series_dropped_total{{metric=\"http_status\"}} {1}\n"
                     "{0}metric_series_dropped_total{{metric=\"http_latency\"}} {2}\n"
                     "{0}metric_series_dropped_total{{metric=\"bandwidth\"}} {3}\n",
                     settings.prefix, dropped_[0], dropped_[1], dropped_[2]);
      return true;
    default:
      return false;
  }
}

}  // namespace sluice::plugin
