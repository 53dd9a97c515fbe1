// SPDX-License-Identifier: Apache-2.0
#include "gateway/publisher.h"

#include <algorithm>

#include "async/join.h"
#include "gateway/worker.h"

namespace sluice::gateway {

Publisher::~Publisher() = default;

void Publisher::publish(std::unique_ptr<const Snapshot> next) {
  const Snapshot* snapshot = next.get();
  published_ = snapshot->number;
  live_.emplace(snapshot, Live{std::move(next), workers_.size()});
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i].worker;
    worker.loop.post([this, &worker, i, snapshot, revision = snapshot->number] {
      worker.adopt(snapshot);
      control_.post([this, i, revision] { acknowledged(i, revision); });
    });
  }
}

void Publisher::retired(const Snapshot* snapshot) {
  control_.post([this, snapshot] {
    const auto found = live_.find(snapshot);
    if (found != live_.end() && --found->second.holders == 0) live_.erase(found);
  });
}

std::uint64_t Publisher::applied() const {
  std::uint64_t least = UINT64_MAX;
  for (const Reader& reader : workers_) least = std::min(least, reader.applied);
  return workers_.empty() ? 0 : least;
}

void Publisher::acknowledged(std::size_t reader, std::uint64_t revision) {
  workers_[reader].applied = std::max(workers_[reader].applied, revision);
  const std::uint64_t everywhere = applied();
  for (std::size_t i = 0; i < waiters_.size();) {
    if (waiters_[i]->revision > everywhere) {
      ++i;
      continue;
    }
    control_.defer(std::exchange(waiters_[i]->frame, nullptr));
    waiters_[i] = waiters_.back();
    waiters_.pop_back();
  }
}

// On the list from suspension to resumption, or to its destruction.
struct Publisher::Applied {
  Applied(Publisher& the_publisher, std::uint64_t revision)
      : publisher(the_publisher), waiter{revision, nullptr} {}
  Applied(const Applied&) = delete;
  ~Applied() { std::erase(publisher.waiters_, &waiter); }
  bool await_ready() const { return publisher.applied() >= waiter.revision; }
  void await_suspend(std::coroutine_handle<> frame) {
    waiter.frame = frame;
    publisher.waiters_.push_back(&waiter);
  }
  void await_resume() const {}
  Publisher& publisher;
  Waiter waiter;
};

namespace {
template <class Awaitable, class... Args>
async::Task<> await_one(Args&... args) {
  co_await Awaitable(args...);
}
}  // namespace

async::Task<bool> Publisher::wait_applied(std::uint64_t revision, Instant deadline) {
  if (applied() >= revision) co_return true;
  auto first = co_await async::first_of(await_one<Applied>(*this, revision),
                                        await_one<async::Loop::Sleep>(control_, deadline));
  co_return first.index() == 0;
}

}  // namespace sluice::gateway
