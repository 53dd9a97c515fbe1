// SPDX-License-Identifier: Apache-2.0
#include "plugin/batch.h"

#include <algorithm>

#include "async/join.h"
#include "base/bounded.h"
#include "base/log.h"

namespace sluice::plugin {

namespace {
constexpr Duration pause_least = 100ms;  // a server that is down is not asked without end
}  // namespace

void BatchConfig::describe(json::Fields& field, std::string_view default_name) {
  if (name.empty()) name = default_name;
  field("name", name, "What the error log calls this logger.");
  field("batch_max_size", batch_max_size, "Entries of a batch; 1 sends each on its own.").at_least(1);
  field("inactive_timeout", inactive_timeout, "Seconds without a new entry after which a batch leaves.")
      .at_least(1);
  field("buffer_duration", buffer_duration, "Seconds for which the oldest entry of a batch waits at most.")
      .at_least(1);
  field("max_retry_count", max_retry_count,
        "How often a batch that failed is tried again; then it is dropped.")
      .at_least(0);
  field("retry_delay", retry_delay, "Seconds before it is tried again; 0: a tenth of one.").at_least(0);
}

Batch::Batch(Worker& worker)
    : worker_(worker), timer_(worker.loop, [](void* self) { static_cast<Batch*>(self)->on_timer(); }, this) {}

void Batch::set_up(const BatchConfig& config, Send send) {
  config_ = config;
  send_ = std::move(send);
}

void Batch::add(std::string entry, std::int64_t pending_max, std::int64_t pending_bytes_max) {
  if (pending_ >= static_cast<std::size_t>(pending_max)) return drop(1, "too many wait to be sent");
  if (pending_bytes_ + entry.size() > static_cast<std::size_t>(pending_bytes_max))
    return drop(1, "too many bytes wait to be sent");
  pending_bytes_ += entry.size();
  const Instant now = worker_.loop.now();
  if (entries_.empty()) first_ = now;
  last_ = now;
  entries_.push_back(std::move(entry));
  ++pending_;
  set_timer();
}

void Batch::set_timer() {
  if (entries_.size() >= static_cast<std::size_t>(config_.batch_max_size)) {
    timer_.set(worker_.loop.now());  // soon, and not in the middle of a request
  } else {
    timer_.set(std::min(after(last_, bounded_seconds(config_.inactive_timeout)),
                        after(first_, bounded_seconds(config_.buffer_duration))));
  }
}

void Batch::on_timer() {
  if (!entries_.empty()) flush();
}

void Batch::flush() {
  const auto most = static_cast<std::size_t>(config_.batch_max_size);
  for (std::size_t at = 0; at < entries_.size(); at += most) {
    const auto end = std::min(at + most, entries_.size());
    batches_.emplace_back(std::make_move_iterator(entries_.begin() + static_cast<std::ptrdiff_t>(at)),
                          std::make_move_iterator(entries_.begin() + static_cast<std::ptrdiff_t>(end)));
  }
  entries_.clear();
  if (batches_.empty() || sending()) return;
  started_ = true;
  sender_.start(send_all());
}

async::Task<> Batch::send_all() {
  while (!batches_.empty()) {
    std::vector<std::string> entries = std::move(batches_.front());
    batches_.pop_front();
    co_await deliver(std::move(entries));
  }
}

async::Task<> Batch::deliver(std::vector<std::string> entries) {
  for (std::int64_t failed = 0;;) {
    auto sending = send_(worker_, entries);
    auto sent = co_await sending;
    if (sent) break;
    log::error("{}: {} entries could not be sent: {}", config_.name, entries.size(), sent.error().what);
    if (++failed > config_.max_retry_count) {
      drop(entries.size(), "max_retry_count is reached");
      break;
    }
    co_await worker_.loop.sleep(std::max(bounded_seconds(config_.retry_delay), pause_least));
  }
  pending_ -= entries.size();
  for (const std::string& entry : entries) pending_bytes_ -= entry.size();
}

void Batch::drop(std::size_t entries, std::string_view why) {
  dropped_ += entries;
  untold_ += entries;
  const Instant now = worker_.loop.now();
  if (now - told_ < std::chrono::seconds(1)) return;
  told_ = now;
  log::error("{}: {} entries were dropped: {}; {} since the start", config_.name, untold_, why, dropped_);
  untold_ = 0;
}

async::Task<> Batch::sent_all() { co_await sender_.join(); }

async::Task<> Batch::close() {
  if (!entries_.empty()) flush();
  if (!sending()) co_return;
  auto first = co_await async::first_of(sent_all(), worker_.loop.sleep(closing_patience));
  if (first.index() == 1) drop(pending_, "the logger ends and they could not be sent in time");
}

}  // namespace sluice::plugin
