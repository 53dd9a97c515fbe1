// SPDX-License-Identifier: Apache-2.0
// What one worker counts of the requests it served, by labels, for Prometheus. A worker owns one `Metrics`
// and alone touches it; the control thread asks for slices by message and adds them up in a `MetricsSum`.
// Series are never taken away while the worker lives, so a slice may point to their labels; there are
// `series_max` of each metric at most, and what did not fit is counted.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "json/findings.h"
#include "plugin/variable.h"

namespace sluice::plugin {

enum class Metric : std::uint8_t { http_status, http_latency, bandwidth };
inline constexpr std::size_t metric_count = 3;
// The names of a metric's labels, in order, without those that every configuration adds (extra_labels).
std::vector<std::string_view> label_names(Metric metric);

// plugin_attr.prometheus of config.yaml, the same for all workers.
struct MetricsSettings {
  struct ExtraLabel {
    std::string name;
    Variable variable;
  };
  std::string prefix = "apisix_";
  std::vector<std::int64_t> buckets_ms{1,   2,   5,    10,   20,   50,    100,  200,
                                       500, 1000, 2000, 5000, 10000, 30000, 60000};
  std::vector<ExtraLabel> extra[metric_count];
  std::size_t series_max = 10'000;  // of each metric on each worker

  static MetricsSettings from(const json::Value& attr, json::Findings& findings);
};

// Which labels are left empty: bit i of a metric is its i-th label.
struct DisabledLabels {
  std::uint32_t of[metric_count] = {};
};

class Metrics {
 public:
  Metrics();
  // `settings` outlives it; before the worker runs.
  void use(const MetricsSettings& settings) { settings_ = &settings; }

  // Counts an exchange that is over. `names`: routes and services are called by name, not by id.
  enum class Naming : std::uint8_t { by_id, by_name };
  void record(Exchange& x, Naming naming, const DisabledLabels& disabled);
  // The same of a connection below HTTP.
  void record_stream(const Exchange& x, Naming naming);

  struct Histogram {
    std::vector<std::uint64_t> counts;  // one more than there are buckets
    std::uint64_t sum_ns = 0;
  };
  struct StatusSeries {
    std::string labels;  // code="200",route="1",…
    std::uint64_t count = 0;
  };
  struct LatencySeries {
    std::string labels;  // those behind `type`
    Histogram request, upstream, apisix;
  };
  struct StreamSeries {
    std::string labels;  // route="1"
    std::uint64_t count = 0;
  };
  struct BandwidthSeries {
    std::string labels;  // those behind `type`
    std::uint64_t ingress = 0, egress = 0;
  };

  // Up to `most` series from the cursor on, copied; the cursor is moved. Empty at the end.
  struct Cursor {
    std::size_t status = 0, latency = 0, bandwidth = 0, streams = 0;
  };
  struct Slice {
    template <class T>
    using List = std::vector<std::pair<const std::string*, T>>;
    List<std::uint64_t> status;
    struct Latencies {
      Histogram request, upstream, apisix;
    };
    List<Latencies> latency;
    struct Bytes {
      std::uint64_t ingress, egress;
    };
    List<Bytes> bandwidth;
    List<std::uint64_t> streams;
    std::uint64_t dropped[metric_count] = {};
    bool empty() const {
      return status.empty() && latency.empty() && bandwidth.empty() && streams.empty();
    }
  };
  Slice slice(Cursor& cursor, std::size_t most) const;

 private:
  struct Found {
    StatusSeries* status = nullptr;
    LatencySeries* latency = nullptr;
    BandwidthSeries* bandwidth = nullptr;
  };
  template <class Series>
  struct Table {
    std::deque<Series> list;
    std::unordered_map<std::string, Series*, StringHash, std::equal_to<>> by_labels;
    std::uint64_t dropped = 0;
  };
  Found intern(Exchange& x, const std::vector<std::string_view>& values, const DisabledLabels& disabled);
  template <class Series>
  Series* find(Table<Series>& table, std::string labels);
  std::string labels_text(Exchange& x, Metric metric, const std::vector<std::string_view>& values,
                          const DisabledLabels& disabled) const;
  void observe(Histogram& histogram, Duration time) const;

  const MetricsSettings* settings_;
  Table<StatusSeries> status_;
  Table<LatencySeries> latency_;
  Table<BandwidthSeries> bandwidth_;
  Table<StreamSeries> streams_;
  // What the values of one exchange lead to, so that the next one alike costs one look-up.
  std::unordered_map<std::string, Found, StringHash, std::equal_to<>> known_;
  std::string key_;
  static constexpr std::size_t known_max = 16'384;
};

// Slices of all workers, added up, in the order of their labels.
class MetricsSum {
 public:
  void add(const Metrics::Slice& slice);
  void add_dropped(const Metrics::Slice& slice);
  // Appends up to `most` series in the text format of Prometheus (version 0.0.4); false at the end.
  bool write(const MetricsSettings& settings, std::size_t most, std::string& out);

 private:
  template <class T>
  using Map = std::map<std::string_view, T>;
  void write_latency(const MetricsSettings& settings, std::string_view labels,
                     const Metrics::Slice::Latencies& sums, std::string& out) const;
  Map<std::uint64_t> status_;
  Map<Metrics::Slice::Latencies> latency_;
  Map<Metrics::Slice::Bytes> bandwidth_;
  Map<std::uint64_t> streams_;
  std::uint64_t dropped_[metric_count] = {};
  int stage_ = 0;
  std::string_view last_;  // written last in this stage
  bool begun_ = false;
};

// A label's value as the text format wants it.
void append_label_value(std::string_view value, std::string& out);

}  // namespace sluice::plugin
