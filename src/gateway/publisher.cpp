// SPDX-License-Identifier: Apache-2.0
#include "gateway/publisher.h"

#include <algorithm>

#include "async/join.h"
#include "gateway/worker.h"

namespace sluice::gateway {

Publisher::~Publisher() = default;

void Publisher::publish(std::unique_ptr<const Snapshot> next, Instant stored) {
  const Snapshot* snapshot = next.get();
  published_ = snapshot->number;
  const std::uint64_t version = ++version_;
  publications_.push_back({snapshot->number, stored, workers_.size(), stored});
  if (publications_.size() > remembered_max) publications_.pop_front();
  live_.emplace(snapshot, Live{std::move(next), workers_.size()});
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i].worker;
    worker.loop.post([this, &worker, i, snapshot, version, revision = snapshot->number] {
      worker.adopt(snapshot);
      control_.post([this, i, revision, version, live = worker.loop.clock().now()] {
        acknowledged(i, revision, version, live);
      });
    });
  }
}

void Publisher::retired(const Snapshot* snapshot) {
  control_.post([this, snapshot] {
    const auto found = live_.find(snapshot);
    if (found != live_.end() && --found->second.holders == 0) live_.erase(found);
  });
}

std::vector<std::int64_t> Publisher::applied_by_worker() const {
  std::vector<std::int64_t> all;
  for (const Reader& worker : workers_) all.push_back(static_cast<std::int64_t>(worker.applied));
  return all;
}

std::uint64_t Publisher::applied() const {
  std::uint64_t least = UINT64_MAX;
  for (const Reader& reader : workers_) least = std::min(least, reader.applied);
  return workers_.empty() ? 0 : least;
}

bool Publisher::holds(const Waiter& waiter) const {
  return std::ranges::all_of(workers_, [&](const Reader& reader) {
    return reader.applied >= waiter.revision && reader.version >= waiter.version;
  });
}

void Publisher::acknowledged(std::size_t reader, std::uint64_t revision, std::uint64_t version,
                             Instant live) {
  workers_[reader].applied = std::max(workers_[reader].applied, revision);
  workers_[reader].version = version;
  if (const std::uint64_t age = version_ - version; age < publications_.size()) {
    Publication& publication = publications_[publications_.size() - 1 - age];
    --publication.left;
    publication.live = std::max(publication.live, live);
  }
  const auto next = [this] {
    return std::ranges::find_if(waiters_, [this](const Waiter* waiter) { return holds(*waiter); });
  };
  for (auto found = next(); found != waiters_.end(); found = next()) {
    const auto frame = (*found)->frame;
    waiters_.erase(found);
    frame.resume();  // this is a message: the loop's top level
  }
}

std::optional<Duration> Publisher::time_to_apply(std::uint64_t revision) const {
  const auto found = std::ranges::lower_bound(publications_, revision, {}, &Publication::revision);
  if (found == publications_.end() || found->left > 0 ||
      (found == publications_.begin() && found->revision > revision && version_ > remembered_max))
    return std::nullopt;
  return found->live - found->stored;
}

// On the list from suspension to resumption, or to its destruction.
struct Publisher::Applied {
  Applied(Publisher& the_publisher, std::uint64_t revision)
      : publisher(the_publisher), waiter{revision, the_publisher.version_, nullptr} {}
  Applied(const Applied&) = delete;
  ~Applied() { std::erase(publisher.waiters_, &waiter); }
  bool await_ready() const { return publisher.holds(waiter); }
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
  auto first = co_await async::first_of(await_one<Applied>(*this, revision),
                                        await_one<async::Loop::Sleep>(control_, deadline));
  co_return first.index() == 0;
}

}  // namespace sluice::gateway
