// SPDX-License-Identifier: Apache-2.0
// Hands snapshots to the workers and takes them back: each worker's pointer is replaced by a message, a
// worker says when it works by the new one and when the old one is not held any more, and only the control
// thread destroys. Control thread, but for `retired`.
#pragma once
#include <coroutine>
#include <memory>
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
  void publish(std::unique_ptr<const Snapshot> next);
  // A worker holds `snapshot` no more. Any thread.
  void retired(const Snapshot* snapshot);

  // What every worker serves by, at least.
  std::uint64_t applied() const;
  std::uint64_t published() const { return published_; }
  // Waits until every worker serves by `revision` or later; false when `deadline` comes first.
  async::Task<bool> wait_applied(std::uint64_t revision, Instant deadline);

 private:
  struct Reader {
    Worker* worker;
    std::uint64_t applied = 0;
  };
  struct Waiter {
    std::uint64_t revision;
    std::coroutine_handle<> frame;
  };
  struct Applied;
  void acknowledged(std::size_t reader, std::uint64_t revision);

  async::Loop& control_;
  std::vector<Reader> workers_;
  struct Live {
    std::unique_ptr<const Snapshot> snapshot;
    std::size_t holders;
  };
  std::unordered_map<const Snapshot*, Live> live_;
  std::uint64_t published_ = 0;
  std::vector<Waiter*> waiters_;
};

}  // namespace sluice::gateway
