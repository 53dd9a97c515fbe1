// SPDX-License-Identifier: Apache-2.0
// The process's one resolver, on the control loop: it keeps the names of upstreams' nodes current and answers
// workers that need an address for a request of their own (a logger's server). Workers ask by message;
// whoever asked may be gone when the answer comes. Owned by the process.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "async/loop.h"
#include "net/resolver.h"
#include "upstream/resolved_names.h"

namespace sluice::main {

class Names {
 public:
  // `changed` is called when a name in use has other addresses than before.
  static Result<std::unique_ptr<Names>> make(async::Loop& control, net::ResolverOptions options,
                                             upstream::ResolvedNames::OnChange changed);

  upstream::ResolvedNames& of_upstreams() { return of_upstreams_; }
  // Drives the control loop, which does not run yet, until every name in use has had its first answer, or
  // `patience` is over.
  void wait_for_first_answers(Duration patience);
  // Asked on the thread of `worker`, which outlives this: one address of `name`.
  async::Task<Result<IpAddress>> resolve_for(async::Loop& worker, std::string name, Instant deadline);

 private:
  Names(async::Loop& control, std::unique_ptr<net::Resolver> resolver,
        upstream::ResolvedNames::OnChange changed);
  struct Question;
  class Answer;
  async::Task<> ask(std::shared_ptr<Question> question);
  static async::Task<Result<IpAddress>> wait(std::shared_ptr<Question> question);

  async::Loop& control_;
  std::unique_ptr<net::Resolver> resolver_;
  upstream::ResolvedNames of_upstreams_;
};

}  // namespace sluice::main
