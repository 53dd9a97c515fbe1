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

 private:
  class Name;
  async::Loop& loop_;
  net::Resolver& resolver_;
  OnChange on_change_;
  std::map<std::string, std::shared_ptr<Name>, std::less<>> names_;
};

}  // namespace sluice::upstream
