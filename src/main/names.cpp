// SPDX-License-Identifier: Apache-2.0
#include "main/names.h"

#include <coroutine>
#include <optional>
#include <utility>

#include "async/join.h"
#include "base/log.h"

namespace sluice::main {

// Shared by the worker that asks and the control thread that finds out; `frame` and `answer` are touched on
// the worker's thread only.
struct Names::Question {
  async::Loop& worker;
  std::string name;
  std::coroutine_handle<> frame;
  std::optional<Result<IpAddress>> answer;
};

class Names::Answer {
 public:
  explicit Answer(std::shared_ptr<Question> question) : question_(std::move(question)) {}
  Answer(const Answer&) = delete;
  ~Answer() { question_->frame = nullptr; }
  bool await_ready() const { return question_->answer.has_value(); }
  void await_suspend(std::coroutine_handle<> frame) { question_->frame = frame; }
  Result<IpAddress> await_resume() { return std::move(*question_->answer); }

 private:
  std::shared_ptr<Question> question_;
};

Names::Names(async::Loop& control, std::unique_ptr<net::Resolver> resolver,
             upstream::ResolvedNames::OnChange changed)
    : control_(control), resolver_(std::move(resolver)),
      of_upstreams_(control, *resolver_, std::move(changed)) {}

Result<std::unique_ptr<Names>> Names::make(async::Loop& control, net::ResolverOptions options,
                                           upstream::ResolvedNames::OnChange changed) {
  auto resolver = net::Resolver::make(control, std::move(options));
  if (!resolver) return std::unexpected(resolver.error());
  return std::unique_ptr<Names>(new Names(control, std::move(*resolver), std::move(changed)));
}

void Names::wait_for_first_answers(Duration patience) {
  const Clock& clock = control_.clock();
  const Instant end = after(clock.now(), patience);
  while (of_upstreams_.unanswered() > 0 && !control_.stopping()) {
    const Duration left = end - clock.now();
    if (left <= Duration::zero()) {
      log::warn("{} names of upstreams have no answer yet; their nodes are left out until they have",
                of_upstreams_.unanswered());
      return;
    }
    control_.run_once(left);
  }
}

async::Task<> Names::ask(std::shared_ptr<Question> question) {
  auto found = co_await resolver_->resolve(question->name);
  Result<IpAddress> answer = fail(ErrorKind::resolve, "");
  if (found) answer = found->addresses.front();
  else answer = std::unexpected(found.error());
  async::Loop& worker = question->worker;
  worker.post([question = std::move(question), answer = std::move(answer)]() mutable {
    question->answer = std::move(answer);
    if (auto frame = std::exchange(question->frame, nullptr)) frame.resume();
  });
}

async::Task<Result<IpAddress>> Names::wait(std::shared_ptr<Question> question) {
  Answer answer(std::move(question));
  auto found = co_await answer;
  co_return found;
}

async::Task<Result<IpAddress>> Names::resolve_for(async::Loop& worker, std::string name, Instant deadline) {
  if (const auto literal = IpAddress::parse(name)) co_return *literal;
  auto question = std::make_shared<Question>(worker, name);
  control_.post([this, question] { control_.spawn(ask(question)); });
  auto first = co_await async::first_of(wait(question), worker.sleep(deadline - worker.now()));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return fail(ErrorKind::timeout, "no address for " + name + " in time", Fault::peer);
}

}  // namespace sluice::main
