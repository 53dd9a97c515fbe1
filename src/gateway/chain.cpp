// SPDX-License-Identifier: Apache-2.0
#include "gateway/chain.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

using plugin::Exchange;
using plugin::Phase;
using plugin::Verdict;
using plugin::VerdictTask;

// The answer of a link's filter, asked once an exchange.
struct Filtered {
  bool known = false;
  bool runs = true;
};

bool wanted(const Link& link, Exchange& x) {
  if (link.meta == nullptr || !link.meta->has_filter) return true;
  auto& filtered = x.state<Filtered>(*link.meta);
  if (!filtered.known) filtered = {true, link.meta->filter.matches(x)};
  return filtered.runs;
}

bool stands_in(const Chain* chain, const Link& link) {
  return chain != nullptr &&
         std::ranges::any_of(chain->links(), [&](const Link& other) { return other.plugin == link.plugin; });
}

Verdict finished(Verdict verdict, const Link& link) {
  if (verdict != nullptr && link.meta != nullptr && link.meta->has_error && verdict->status >= 400) {
    verdict->body = link.meta->error_body;
    verdict->content_type = link.meta->error_type;
  }
  return verdict;
}

struct Walk {
  const Chain& chain;
  Phase phase;
  Step step;
  Exchange& x;
  const Chain* except;
  std::size_t at = 0;

  // The next link that runs in the phase, null at the end.
  const Link* next() {
    const auto& links = chain.links();
    while (at < links.size()) {
      const Link& link = links[at++];
      if (link.type->runs_in(phase) && !stands_in(except, link) && wanted(link, x)) return &link;
    }
    return nullptr;
  }
};

// The rest of a walk, from a plugin on that has to wait.
VerdictTask wait_and_go_on(Walk walk, const Link* link, VerdictTask waiting) {
  while (link != nullptr) {
    auto verdict = co_await waiting;
    if (verdict != nullptr) co_return finished(std::move(verdict), *link);
    link = walk.next();
    if (link != nullptr) waiting = (link->plugin.get()->*walk.step)(walk.x);
  }
  co_return plugin::pass();
}

}  // namespace

Chain::Chain(std::vector<Link> links, Hidden hidden)
    : links_(std::move(links)), hidden_(std::move(hidden)) {
  for (std::size_t i = 1; i < links_.size(); ++i) {  // few links, almost in order: insertion, which is stable
    for (std::size_t j = i; j > 0 && links_[j - 1].priority < links_[j].priority; --j)
      std::swap(links_[j - 1], links_[j]);
  }
  for (const Link& link : links_) {
    phases_ |= link.type->phases;
    looks_into_body_ = looks_into_body_ || link.looks_into_body;
  }
}

const Way* Chain::way(const plugin::Exchange::Chosen& chosen) const {
  const auto found =
      std::ranges::find_if(links_, [&](const Link& link) { return link.plugin.get() == chosen.plugin; });
  return found == links_.end() || chosen.upstream >= found->ways.size() ? nullptr
                                                                        : &found->ways[chosen.upstream];
}

bool Chain::replaces(const plugin::PluginType* type) const {
  return std::ranges::find(links_, type, &Link::type) != links_.end() ||
         std::ranges::find(hidden_, type) != hidden_.end();
}

Chain Chain::merge(const Chain& upper, const Chain& lower) {
  if (lower.empty()) return upper;
  if (upper.empty()) return lower;
  std::vector<Link> links = upper.links_;
  Hidden hidden = upper.hidden_;
  for (const Link& link : lower.links_) {
    if (!upper.replaces(link.type)) links.push_back(link);
  }
  for (const auto* type : lower.hidden_) {
    if (!upper.replaces(type)) hidden.push_back(type);
  }
  return Chain(std::move(links), std::move(hidden));
}

VerdictTask run(const Chain& chain, Phase phase, Step step, Exchange& x, const Chain* except) {
  if (!chain.runs_in(phase)) return plugin::pass();
  Walk walk{chain, phase, step, x, except};
  while (const Link* link = walk.next()) {
    auto task = (link->plugin.get()->*step)(x);
    if (!task.await_ready()) return wait_and_go_on(walk, link, std::move(task));
    auto verdict = task.await_resume();
    if (verdict != nullptr) return finished(std::move(verdict), *link);
  }
  return plugin::pass();
}

void run(const Chain& chain, Phase phase, Hook hook, Exchange& x) {
  if (!chain.runs_in(phase)) return;
  for (const Link& link : chain.links()) {
    if (link.type->runs_in(phase) && wanted(link, x)) (link.plugin.get()->*hook)(x);
  }
}

}  // namespace sluice::gateway
