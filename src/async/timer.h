// SPDX-License-Identifier: Apache-2.0
// Timers of one loop. Setting a timer later than before, and cancelling it, only stores a number: the queue
// finds out when the old time comes. So a deadline that is moved for every request costs two stores. A timer
// belongs to whoever declares it, unregisters in its destructor and is used on its loop's thread only.
#pragma once
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace sluice::async {

class Loop;

class Timer {
 public:
  using Callback = void (*)(void* context);

  Timer(Loop& loop, Callback callback, void* context) : loop_(loop), callback_(callback), context_(context) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  // Calls back once, from the loop, when `when` has come. `never` is the same as `cancel`.
  void set(Instant when) {
    when_ = when;
    if (when < queued_) queue();
  }
  void cancel() { when_ = never; }
  bool armed() const { return when_ != never; }

 private:
  friend class TimerQueue;
  static constexpr std::uint32_t out = UINT32_MAX;
  void queue();

  Loop& loop_;
  Callback callback_;
  void* context_;
  Instant when_ = never;       // what the owner wants
  Instant queued_ = never;     // what the queue knows; `never` while it is not there
  std::uint32_t place_ = out;  // in the queue
};

// A 4-ary heap ordered by the time each timer was queued for.
class TimerQueue {
 public:
  void queue(Timer& timer);
  void remove(Timer& timer);
  // When the loop has to look again, `never` when nothing waits.
  Instant next() const { return heap_.empty() ? never : heap_.front().when; }
  // Calls back what is due at `now`.
  void fire(Instant now);

 private:
  friend class Timer;
  struct Entry {
    Instant when;
    Timer* timer;
  };
  void place(std::uint32_t index, Entry entry) {
    heap_[index] = entry;
    entry.timer->place_ = index;
  }
  void rise(std::uint32_t index, Entry entry);
  void sink(std::uint32_t index, Entry entry);

  std::vector<Entry> heap_;
};

}  // namespace sluice::async
