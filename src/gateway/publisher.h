// SPDX-License-Identifier: Apache-2.0
// Hands snapshots to the workers and takes them back: each worker's pointer is replaced by a message, a
// worker says when it works by the new one and when the old one is not held any more, and only the control
// thread destroys. Control thread, but for `retired`.
#pragma once
#include <coroutine>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "gateway/snapshot.h"

namespace sluice::gateway {

class Worker;

class Publisher {
 public:
  explicit Publisher(async::Loop& control) : control_(control) {}
  ~Publisher();

  void add(Worker& worker) { workers_.push_back({&worker}); }
  // `stored` is when what is new in it became durable.
  void publish(std::unique_ptr<const Snapshot> next, Instant stored);
  // A worker holds `snapshot` no more. Any thread.
  void retired(const Snapshot* snapshot);

  // What each worker serves by.
  std::vector<std::int64_t> applied_by_worker() const;
  // What every worker serves by, at least.
  std::uint64_t applied() const;
  std::uint64_t published() const { return published_; }
  // Waits until every worker serves by `revision` or later, and by all that has been published by now; false
  // when `deadline` comes first.
  async::Task<bool> wait_applied(std::uint64_t revision, Instant deadline);
  // From durable to live in the last worker, of the publication that brought `revision`; of the latest 1024.
  std::optional<Duration> time_to_apply(std::uint64_t revision) const;

 private:
  struct Reader {
    Worker* worker;
    std::uint64_t applied = 0;  // a revision
    std::uint64_t version = 0;
  };
  struct Waiter {
    std::uint64_t revision;
    std::uint64_t version;
    std::coroutine_handle<> frame;
  };
  // One call of publish; versions count them, several may have one revision (an address has changed).
  struct Publication {
    std::uint64_t revision;
    Instant stored;
    std::size_t left;  // workers that have not taken it
    Instant live;
  };
  struct Applied;
  static constexpr std::size_t remembered_max = 1024;
  void acknowledged(std::size_t reader, std::uint64_t revision, std::uint64_t version, Instant live);
  bool holds(const Waiter& waiter) const;

  async::Loop& control_;
  std::vector<Reader> workers_;
  struct Live {
    std::unique_ptr<const Snapshot> snapshot;
    std::size_t holders;
  };
  std::unordered_map<const Snapshot*, Live> live_;
  std::uint64_t published_ = 0;
  std::uint64_t version_ = 0;
  std::deque<Publication> publications_;  // the last is `version_`
  std::vector<Waiter*> waiters_;
};

}  // namespace sluice::gateway
