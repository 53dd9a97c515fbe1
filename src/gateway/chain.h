// SPDX-License-Identifier: Apache-2.0
// The plugins that run for a request, in order: made when the snapshot is compiled, walked by the pipeline. A
// link names one plugin object; the same object may stand in many chains (a service's plugin in each of its
// routes), and an edit that leaves a config alone keeps the object.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "plugin/exchange.h"
#include "plugin/expression.h"
#include "plugin/plugin.h"

namespace sluice::gateway {

// `_meta` of a plugin's config, as far as it says anything.
struct LinkMeta {
  plugin::Expression filter;       // the plugin runs when it holds
  bool has_filter = false;
  std::string error_body;          // replaces the body of a refusal
  std::string error_type;          // its content type
  bool has_error = false;
};

struct Destination;

// Where a plugin may send requests: an upstream written into its config, or one by id, where the snapshot
// keeps it.
struct Way {
  std::shared_ptr<const Destination> own;
  std::uint32_t slot = 0;
};

struct Link {
  const plugin::PluginType* type = nullptr;
  std::shared_ptr<const plugin::Plugin> plugin;
  std::vector<Way> ways;  // of Plugin::upstreams
  std::shared_ptr<const LinkMeta> meta;  // null when the config has none
  int priority = 0;
  bool looks_into_body = false;  // its config names variables of the request's body
};

class Chain {
 public:
  // Plugins that are written down but switched off (`_meta.disable`): they run neither here nor from below.
  using Hidden = std::vector<const plugin::PluginType*>;

  Chain() = default;
  explicit Chain(std::vector<Link> links, Hidden hidden = {});

  // Plugins of `upper`, also those switched off there, stand in for the same plugin of `lower`.
  static Chain merge(const Chain& upper, const Chain& lower);

  const std::vector<Link>& links() const { return links_; }
  // The way that a plugin of this chain chose, null when it is none of its.
  const Way* way(const plugin::Exchange::Chosen& chosen) const;
  bool looks_into_body() const { return looks_into_body_; }
  bool runs_in(plugin::Phase phase) const { return (phases_ & static_cast<std::uint16_t>(phase)) != 0; }
  bool empty() const { return links_.empty() && hidden_.empty(); }
  bool runs_nothing() const { return phases_ == 0; }

 private:
  bool replaces(const plugin::PluginType* type) const;

  std::uint16_t phases_ = 0;
  bool looks_into_body_ = false;
  std::vector<Link> links_;  // by priority, highest first
  Hidden hidden_;
};

using Step = plugin::VerdictTask (plugin::Plugin::*)(plugin::Exchange&) const;
using Hook = void (plugin::Plugin::*)(plugin::Exchange&) const;

// Runs a phase over the chain until a plugin replies. Plugins in `except` (may be null) are left out: they
// have run in that phase already.
plugin::VerdictTask run(const Chain& chain, plugin::Phase phase, Step step, plugin::Exchange& x,
                        const Chain* except = nullptr);
// Runs a phase in which nothing can be refused.
void run(const Chain& chain, plugin::Phase phase, Hook hook, plugin::Exchange& x);

}  // namespace sluice::gateway
