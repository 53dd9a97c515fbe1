// SPDX-License-Identifier: Apache-2.0
// The names in upstreams, resolved and kept current: each is asked for again when its TTL ends, and whoever
// compiles upstreams is told when the addresses of a name are others than before. A name that stops resolving
// keeps its last addresses. Control thread.
#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/loop.h"
#include "net/resolver.h"
#include "upstream/names.h"

namespace sluice::upstream {

class ResolvedNames final : public Names {
 public:
  // Called from the loop's top level, with the name; the new addresses are there. Not from inside `use`.
  using OnChange = std::function<void(std::string_view name)>;

  // `resolver` outlives this.
  ResolvedNames(async::Loop& loop, net::Resolver& resolver, OnChange on_change)
      : loop_(loop), resolver_(resolver), on_change_(std::move(on_change)) {}
  ResolvedNames(const ResolvedNames&) = delete;
  ~ResolvedNames() override;

  void use(std::string_view name) override;
  void release(std::string_view name) override;
  const std::vector<IpAddress>* find(std::string_view name) const override;
  std::size_t size() const { return names_.size(); }
  // Names whose first question is still under way.
  std::size_t unanswered() const { return unanswered_; }
  // Waits until that is none, or until `deadline`.
  async::Task<> wait_answered(Instant deadline);

 private:
  class Name;
  class Answered;
  void first_answer();
  async::Task<> all_answered();
  async::Loop& loop_;
  net::Resolver& resolver_;
  OnChange on_change_;
  std::map<std::string, std::shared_ptr<Name>, std::less<>> names_;
  std::size_t unanswered_ = 0;
  std::vector<Answered*> waiters_;
};

}  // namespace sluice::upstream
