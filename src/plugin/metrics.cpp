// SPDX-License-Identifier: Apache-2.0
#include "plugin/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "plugin/exchange.h"

namespace sluice::plugin {
namespace {

// All values an exchange has; each metric's labels are some of them, in an order of its own.
enum Value : std::uint8_t {
  code, route, matched_uri, matched_host, service, consumer, node, request_type, request_llm_model, llm_model,
  response_source, value_count
};
constexpr std::array<std::string_view, value_count> value_names{
    "code", "route", "matched_uri", "matched_host", "service", "consumer", "node", "request_type",
    "request_llm_model", "llm_model", "response_source"};

constexpr std::array status_labels{code, route, matched_uri, matched_host, service, consumer, node,
                                   request_type, request_llm_model, llm_model, response_source};
constexpr std::array traffic_labels{route,        service,           consumer, node,
                                    request_type, request_llm_model, llm_model};

std::span<const Value> labels_of(Metric metric) {
  if (metric == Metric::http_status) return status_labels;
  return traffic_labels;
}

std::string_view source_of(const Exchange& x) {
  if (x.source == ResponseSource::upstream) return "upstream";
  return x.upstream.addresses.empty() ? "apisix" : "nginx";
}

}  // namespace

std::vector<std::string_view> label_names(Metric metric) {
  std::vector<std::string_view> names;
  for (const Value value : labels_of(metric)) names.push_back(value_names[value]);
  return names;
}

void append_label_value(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (c == '\\') out += "\\\\";
    else if (c == '"') out += "\\\"";
    else if (c == '\n') out += "\\n";
    else out.push_back(c);
  }
}

namespace {

const json::Value* member(const json::Value* object, std::string_view name) {
  return object == nullptr ? nullptr : object->find(name);
}

void read_extra(const json::Value* list, std::string_view path, MetricsSettings& settings, std::size_t metric,
                json::Findings& findings) {
  if (list == nullptr || !list->is_array()) return;
  for (const json::Value& item : list->as_array()) {
    if (!item.is_object() || item.as_object().size() != 1) continue;
    const auto& [name, value] = *item.as_object().begin();
    const bool good = value.is_string() && value.as_string().starts_with("$");
    if (!good) {
      findings.problems.push_back(
          {std::string(path), "extra_labels has " + name + " without a $variable", {}});
      continue;
    }
    settings.extra[metric].push_back({name, find_variable(std::string_view(value.as_string()).substr(1))});
  }
}

}  // namespace

MetricsSettings MetricsSettings::from(const json::Value& attr, json::Findings& findings) {
  static constexpr std::array<std::string_view, metric_count> names{"http_status", "http_latency",
                                                                    "bandwidth"};
  MetricsSettings settings;
  const std::string path = "/plugin_attr/prometheus";
  if (const auto* prefix = attr.find("metric_prefix"); prefix != nullptr && prefix->is_string())
    settings.prefix = prefix->as_string();
  if (const auto* most = attr.find("series_max"); most != nullptr && most->is_integer() && most->as_int() > 0)
    settings.series_max = static_cast<std::size_t>(most->as_int());
  if (const auto* buckets = attr.find("default_buckets"); buckets != nullptr && buckets->is_array()) {
    settings.buckets_ms.clear();
    for (const auto& bucket : buckets->as_array()) {
      if (bucket.is_number() && bucket.as_double() > 0 && bucket.as_double() < 1e12)
        settings.buckets_ms.push_back(static_cast<std::int64_t>(bucket.as_double()));
      else findings.problems.push_back({path + "/default_buckets", "must hold milliseconds above 0", {}});
    }
    std::ranges::sort(settings.buckets_ms);
  }
  for (std::size_t i = 0; i < metric_count; ++i) {
    const auto* own = member(attr.find("metrics"), names[i]);
    const std::string place = path + "/metrics/" + std::string(names[i]);
    read_extra(member(own, "extra_labels"), place, settings, i, findings);
    if (member(own, "expire") != nullptr)
      findings.warnings.push_back(
          {place + "/expire", "has no effect: series stay, bounded by series_max", {}});
  }
  return settings;
}

Metrics::Metrics() {
  static const MetricsSettings defaults;
  settings_ = &defaults;
}

void Metrics::record(Exchange& x, Naming naming, const DisabledLabels& disabled) {
  char status[8];
  const auto* status_end = std::to_chars(status, status + sizeof status, x.response.status).ptr;
  const std::string_view status_text(status, static_cast<std::size_t>(status_end - status));
  const RouteInfo* info = x.route;
  std::string_view route_text, service_text;
  if (info != nullptr) {
    const bool named = naming == Naming::by_name;
    route_text = named && !info->name.empty() ? info->name : info->id;
    service_text = named && !info->service_name.empty() ? info->service_name : info->service_id;
  }
  const std::array<std::string_view, value_count> values{
      status_text, route_text, x.matched_uri, x.matched_host, service_text, x.consumer_name,
      x.upstream.balancer_ip, "traditional_http", "", "", source_of(x)};
  key_.assign(reinterpret_cast<const char*>(disabled.of), sizeof disabled.of);
  for (const auto& value : values) key_.append(value).push_back('\0');
  for (const auto& extra : settings_->extra) {
    for (const auto& label : extra) key_.append(label.variable.read(x).value_or("")).push_back('\0');
  }
  auto found = known_.find(std::string_view(key_));
  if (found == known_.end()) {
    if (known_.size() >= known_max) known_.clear();
    found = known_.emplace(key_, intern(x, {values.begin(), values.end()}, disabled)).first;
  }
  const Found& series = found->second;
  if (series.status != nullptr) ++series.status->count;
  else ++status_.dropped;
  if (series.bandwidth != nullptr) {
    series.bandwidth->ingress += x.request_size;
    series.bandwidth->egress += x.response_size;
  } else {
    ++bandwidth_.dropped;
  }
  if (series.latency == nullptr) {
    ++latency_.dropped;
    return;
  }
  const Duration whole = x.worker.loop.now() - x.started;
  const bool asked = x.upstream.response_time >= Duration::zero();
  observe(series.latency->request, whole);
  if (asked) observe(series.latency->upstream, x.upstream.response_time);
  observe(series.latency->apisix,
          asked ? std::max(whole - x.upstream.response_time, Duration::zero()) : whole);
}

void Metrics::record_stream(const Exchange& x, Naming naming) {
  if (x.route == nullptr) return;
  std::string labels = "route=\"";
  append_label_value(naming == Naming::by_name && !x.route->name.empty() ? x.route->name : x.route->id,
                     labels);
  labels.push_back('"');
  if (auto* series = find(streams_, std::move(labels))) ++series->count;
}

void Metrics::observe(Histogram& histogram, Duration time) const {
  const auto& bounds = settings_->buckets_ms;
  const std::int64_t nanoseconds = std::max<std::int64_t>(time.count(), 0);
  std::size_t at = 0;
  while (at < bounds.size() && nanoseconds > bounds[at] * 1'000'000) ++at;
  ++histogram.counts[at];
  histogram.sum_ns += static_cast<std::uint64_t>(nanoseconds);
}

std::string Metrics::labels_text(Exchange& x, Metric metric, const std::vector<std::string_view>& values,
                                 const DisabledLabels& disabled) const {
  std::string text;
  const auto labels = labels_of(metric);
  const auto number = static_cast<std::size_t>(metric);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    text.append(text.empty() ? "" : ",").append(value_names[labels[i]]).append("=\"");
    if ((disabled.of[number] >> i & 1) == 0) append_label_value(values[labels[i]], text);
    text.push_back('"');
  }
  for (const auto& extra : settings_->extra[number]) {
    text.append(",").append(extra.name).append("=\"");
    append_label_value(extra.variable.read(x).value_or(""), text);
    text.push_back('"');
  }
  return text;
}

template <class Series>
Series* Metrics::find(Table<Series>& table, std::string labels) {
  if (const auto found = table.by_labels.find(labels); found != table.by_labels.end()) return found->second;
  if (table.list.size() >= settings_->series_max) return nullptr;
  Series& made = table.list.emplace_back();
  made.labels = labels;
  table.by_labels.emplace(std::move(labels), &made);
  return &made;
}

Metrics::Found Metrics::intern(Exchange& x, const std::vector<std::string_view>& values,
                               const DisabledLabels& disabled) {
  Found found;
  found.status = find(status_, labels_text(x, Metric::http_status, values, disabled));
  found.latency = find(latency_, labels_text(x, Metric::http_latency, values, disabled));
  found.bandwidth = find(bandwidth_, labels_text(x, Metric::bandwidth, values, disabled));
  if (found.latency != nullptr) {
    for (auto* histogram : {&found.latency->request, &found.latency->upstream, &found.latency->apisix})
      histogram->counts.resize(settings_->buckets_ms.size() + 1);
  }
  return found;
}

Metrics::Slice Metrics::slice(Cursor& cursor, std::size_t most) const {
  Slice slice;
  for (; most > 0 && cursor.status < status_.list.size(); --most) {
    const auto& series = status_.list[cursor.status++];
    slice.status.emplace_back(&series.labels, series.count);
  }
  for (; most > 0 && cursor.latency < latency_.list.size(); --most) {
    const auto& series = latency_.list[cursor.latency++];
    slice.latency.emplace_back(&series.labels,
                               Slice::Latencies{series.request, series.upstream, series.apisix});
  }
  for (; most > 0 && cursor.bandwidth < bandwidth_.list.size(); --most) {
    const auto& series = bandwidth_.list[cursor.bandwidth++];
    slice.bandwidth.emplace_back(&series.labels, Slice::Bytes{series.ingress, series.egress});
  }
  for (; most > 0 && cursor.streams < streams_.list.size(); --most) {
    const auto& series = streams_.list[cursor.streams++];
    slice.streams.emplace_back(&series.labels, series.count);
  }
  slice.dropped[0] = status_.dropped;
  slice.dropped[1] = latency_.dropped;
  slice.dropped[2] = bandwidth_.dropped;
  return slice;
}

}  // namespace sluice::plugin
