// SPDX-License-Identifier: Apache-2.0
#include "async/timer.h"

#include <algorithm>

#include "async/loop.h"

namespace sluice::async {

Timer::~Timer() {
  if (place_ != out) loop_.timers_.remove(*this);
}

void Timer::queue() { loop_.timers_.queue(*this); }

void TimerQueue::queue(Timer& timer) {
  timer.queued_ = timer.when_;
  if (timer.place_ == Timer::out) {
    heap_.emplace_back();
    rise(static_cast<std::uint32_t>(heap_.size() - 1), {timer.when_, &timer});
  } else {
    rise(timer.place_, {timer.when_, &timer});
  }
}

void TimerQueue::remove(Timer& timer) {
  const std::uint32_t hole = timer.place_;
  timer.place_ = Timer::out;
  timer.queued_ = never;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (hole == heap_.size()) return;
  if (hole > 0 && last.when < heap_[(hole - 1) / 4].when) rise(hole, last);
  else sink(hole, last);
}

void TimerQueue::fire(Instant now) {
  while (!heap_.empty() && heap_.front().when <= now) {
    Timer& timer = *heap_.front().timer;
    if (timer.when_ > now && timer.when_ != never) {
      timer.queued_ = timer.when_;
      sink(0, {timer.when_, &timer});  // it was moved to later meanwhile
      continue;
    }
    const bool due = timer.when_ <= now;
    remove(timer);
    timer.when_ = never;
    if (due) timer.callback_(timer.context_);
  }
}

void TimerQueue::rise(std::uint32_t index, Entry entry) {
  while (index > 0) {
    const std::uint32_t parent = (index - 1) / 4;
    if (heap_[parent].when <= entry.when) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, entry);
}

void TimerQueue::sink(std::uint32_t index, Entry entry) {
  const auto size = static_cast<std::uint32_t>(heap_.size());
  for (;;) {
    const std::uint32_t first = index * 4 + 1;
    if (first >= size) break;
    std::uint32_t least = first;
    for (std::uint32_t child = first + 1; child < std::min(first + 4, size); ++child) {
      if (heap_[child].when < heap_[least].when) least = child;
    }
    if (entry.when <= heap_[least].when) break;
    place(index, heap_[least]);
    index = least;
  }
  place(index, entry);
}

}  // namespace sluice::async
