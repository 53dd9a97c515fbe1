// SPDX-License-Identifier: Apache-2.0
#include "http/http2_wait.h"

#include <algorithm>
#include <utility>

namespace sluice::http {

void Http2Waits::resume_told() {
  for (std::size_t i = 0; i < told_.size(); ++i) {
    Http2Wait* const wait = std::exchange(told_[i], nullptr);
    if (wait == nullptr) continue;
    wait->told_ = false;
    wait->resume(0);
  }
  told_.clear();
}

void Http2Waits::look_at(Instant when) {
  if (when >= next_look_) return;
  next_look_ = when;
  timer_.set(when);
}

// Whoever is resumed may change the list, so it is looked through from its beginning again.
void Http2Waits::look(void* self) {
  auto& waits = *static_cast<Http2Waits*>(self);
  const Instant now = waits.loop_.now();
  waits.next_look_ = never;
  for (Http2Wait* wait = waits.first_; wait != nullptr;) {
    if (wait->deadline_ > now) {
      wait = wait->behind_;
      continue;
    }
    wait->resume(-ETIMEDOUT);
    wait = waits.first_;
  }
  for (Http2Wait* wait = waits.first_; wait != nullptr; wait = wait->behind_) waits.look_at(wait->deadline_);
}

void Http2Wait::enter(std::coroutine_handle<> waiter, Instant deadline) {
  waiter_ = waiter;
  deadline_ = deadline;
  behind_ = all_.first_;
  if (behind_ != nullptr) behind_->before_ = this;
  all_.first_ = this;
  all_.look_at(deadline);
}

void Http2Wait::leave() {
  if (!waiter_) return;
  waiter_ = nullptr;
  if (behind_ != nullptr) behind_->before_ = before_;
  (before_ != nullptr ? before_->behind_ : all_.first_) = behind_;
  before_ = behind_ = nullptr;
  if (std::exchange(told_, false)) std::ranges::replace(all_.told_, this, nullptr);
}

void Http2Wait::resume(ssize_t result) {
  const auto waiter = waiter_;
  leave();
  result_ = result;
  waiter.resume();
}

}  // namespace sluice::http
