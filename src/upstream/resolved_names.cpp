// SPDX-License-Identifier: Apache-2.0
#include "upstream/resolved_names.h"

#include <algorithm>
#include <utility>

#include "async/join.h"
#include "async/timer.h"
#include "base/log.h"

namespace sluice::upstream {
namespace {

constexpr Duration retry_first = std::chrono::seconds(1);
constexpr Duration retry_longest = std::chrono::seconds(30);

}  // namespace

// One name; shared with the question under way, which looks at `stopped_` when the answer comes.
class ResolvedNames::Name : public std::enable_shared_from_this<Name> {
 public:
  Name(ResolvedNames& owner, std::string name)
      : owner_(owner), name_(std::move(name)), timer_(owner.loop_, &Name::due, this) {}

  // The first question leaves with the next batch: an answer never comes while `use` is on the stack.
  void begin() {
    ++owner_.unanswered_;
    timer_.set(owner_.loop_.now());
  }
  void stop() {
    stopped_ = true;
    if (!std::exchange(answered_, true)) owner_.first_answer();
    timer_.cancel();
  }

  std::size_t uses = 0;
  std::vector<IpAddress> addresses;

 private:
  static void due(void* self) {
    auto& name = *static_cast<Name*>(self);
    name.owner_.loop_.spawn(ask(name.shared_from_this()));
  }

  static async::Task<> ask(std::shared_ptr<Name> self) {
    auto answer = co_await self->owner_.resolver_.resolve(self->name_);
    if (!self->stopped_) self->take(std::move(answer));
  }

  void take(Result<net::Resolved> answer) {
    const Instant now = owner_.loop_.now();
    hear(std::move(answer), now);
    if (!stopped_ && !std::exchange(answered_, true)) owner_.first_answer();
  }

  void hear(Result<net::Resolved> answer, Instant now) {
    if (!answer) {
      log::warn("upstream node {}: {}; {}", name_, answer.error().what,
                addresses.empty() ? "it is left out until it resolves" : "its last addresses are kept");
      timer_.set(now + retry_);
      retry_ = std::min(retry_ * 2, retry_longest);
      return;
    }
    retry_ = retry_first;
    timer_.set(after(now, answer->ttl));
    if (answer->addresses == addresses) return;
    addresses = std::move(answer->addresses);
    if (owner_.on_change_) owner_.on_change_(name_);
  }

  ResolvedNames& owner_;
  const std::string name_;
  async::Timer timer_;
  Duration retry_ = retry_first;
  bool stopped_ = false;
  bool answered_ = false;
};

// On the list from suspension to resumption, or to its destruction.
class ResolvedNames::Answered {
 public:
  explicit Answered(ResolvedNames& names) : names_(names), timer_(names.loop_, &Answered::wake, this) {}
  Answered(const Answered&) = delete;
  ~Answered() { std::erase(names_.waiters_, this); }
  bool await_ready() const { return names_.unanswered_ == 0; }
  void await_suspend(std::coroutine_handle<> frame) {
    frame_ = frame;
    names_.waiters_.push_back(this);
  }
  void await_resume() const {}
  void resume() { timer_.set(names_.loop_.now()); }  // from the loop's top level

 private:
  static void wake(void* self) { static_cast<Answered*>(self)->frame_.resume(); }
  ResolvedNames& names_;
  std::coroutine_handle<> frame_;
  async::Timer timer_;
};

void ResolvedNames::first_answer() {
  if (--unanswered_ > 0) return;
  for (Answered* waiter : std::exchange(waiters_, {})) waiter->resume();
}

async::Task<> ResolvedNames::all_answered() {
  Answered answered(*this);
  co_await answered;
}

async::Task<> ResolvedNames::wait_answered(Instant deadline) {
  if (unanswered_ == 0) co_return;
  co_await async::first_of(all_answered(), loop_.sleep(deadline - loop_.now()));
}

ResolvedNames::~ResolvedNames() {
  for (auto& [text, name] : names_) name->stop();
}

void ResolvedNames::use(std::string_view text) {
  auto found = names_.find(text);
  if (found == names_.end()) {
    found = names_.emplace(std::string(text), std::make_shared<Name>(*this, std::string(text))).first;
    found->second->begin();
  }
  ++found->second->uses;
}

void ResolvedNames::release(std::string_view text) {
  const auto found = names_.find(text);
  if (found == names_.end() || --found->second->uses > 0) return;
  found->second->stop();
  names_.erase(found);
}

const std::vector<IpAddress>* ResolvedNames::find(std::string_view text) const {
  const auto found = names_.find(text);
  return found == names_.end() || found->second->addresses.empty() ? nullptr : &found->second->addresses;
}

}  // namespace sluice::upstream
