// SPDX-License-Identifier: Apache-2.0
// Log entries of one plugin on one worker, gathered into batches and sent by a function of the plugin's: what
// every logger shares. A batch leaves when it is full, when nothing came for a while, or when its first entry
// is old. A failed one is tried again; what is beyond the limit of pending entries is dropped, counted and
// told once a second at most. Lives in the worker's local state and sends what is left when it is closed.
#pragma once
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "async/child.h"
#include "async/timer.h"
#include "plugin/exchange.h"

namespace sluice::plugin {

// The fields that every logger's config has.
struct BatchConfig {
  std::string name;
  std::int64_t batch_max_size = 1000;
  std::int64_t inactive_timeout = 5, buffer_duration = 60, retry_delay = 1;  // seconds
  std::int64_t max_retry_count = 0;
  void describe(json::Fields& field, std::string_view default_name);
};

inline constexpr std::int64_t pending_entries_default = 8192;

class Batch final : public Local {
 public:
  // Sends the entries; the error is a sentence for the log. Its arguments outlive the task.
  using Send = std::function<async::Task<Result<>>(Worker& worker, const std::vector<std::string>& entries)>;

  explicit Batch(Worker& worker);
  bool is_set_up() const { return send_ != nullptr; }
  void set_up(const BatchConfig& config, Send send);

  // Takes an entry, unless `pending_max` wait already, or as many bytes with it as `pending_bytes_max`.
  void add(std::string entry, std::int64_t pending_max,
           std::int64_t pending_bytes_max = std::numeric_limits<std::int64_t>::max());
  // Sends what is left, for so long at most.
  async::Task<> close() override;
  static constexpr Duration closing_patience = std::chrono::seconds(5);

  std::size_t pending() const { return pending_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  void flush();
  void set_timer();
  void on_timer();
  void drop(std::size_t entries, std::string_view why);
  async::Task<> send_all();
  async::Task<> deliver(std::vector<std::string> entries);
  async::Task<> sent_all();
  bool sending() const { return started_ && !sender_.ended(); }

  Worker& worker_;
  BatchConfig config_;
  Send send_;
  std::vector<std::string> entries_;
  std::deque<std::vector<std::string>> batches_;  // full, to be sent in order
  Instant first_, last_;
  std::size_t pending_ = 0, pending_bytes_ = 0;  // in entries_, in batches_ and under way
  std::uint64_t dropped_ = 0, untold_ = 0;
  Instant told_{};
  bool started_ = false;
  async::Timer timer_;
  async::Child sender_;  // last: destroyed first
};

}  // namespace sluice::plugin
