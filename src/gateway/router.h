// SPDX-License-Identifier: Apache-2.0
// Finds the route of a request: host, path, conditions, priority, in APISIX's order (exact path before the
// longest prefix, priority within a pattern, shorter prefixes when conditions refuse; in host_uri mode exact
// host before the longest wildcard before routes without host). A Router is a version: an edit makes the next
// one at a cost that follows the change and leaves this one whole. Versions are made, copied and destroyed by
// the control thread; workers call `match` on a version that is pinned for them.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

#include "gateway/radix_tree.h"
#include "gateway/route.h"

namespace sluice::gateway {

struct RouteMatch {
  const Route* route = nullptr;
  std::uint16_t uri = 0;              // which of its patterns
  std::uint32_t parameter_count = 0;  // how many of `captured` were written

  std::string_view uri_pattern() const { return route->uri(uri); }
  // Empty when the route names no host.
  std::string_view host_pattern(const RouteQuestion& question) const {
    return route->host_of_match(question);
  }
};

class Router {
 public:
  explicit Router(RouterMode mode) : mode_(mode) {}
  Router(const Router& other);
  Router(Router&& other) noexcept;
  Router& operator=(Router other) noexcept;
  ~Router();

  // Any thread. `captured` receives uri_param_* (uri_with_parameter mode); more than fit are dropped.
  bool match(const RouteQuestion& question, RouteMatch& found,
             std::span<plugin::Exchange::Parameter> captured = {}) const;

  // A batch of changes is made on a copy: `Router next = current; next.add(…); next.remove(…);`. Nodes that
  // only the copy refers to are changed in place.
  void add(Route& route);           // shares it
  void remove(const Route& route);  // the same object that was added; nothing happens when it is not there

  RouterMode mode() const { return mode_; }
  bool empty() const { return hosts_ == nullptr && authorities_ == nullptr && any_host_ == nullptr; }

 private:
  void change(const Route& route, Route* added);

  RouterMode mode_;
  // Reversed host → tree of paths (exact, wildcard), in host_uri mode; patterns with a colon ("foo.com:9080",
  // "[::1]") apart, because they are compared with what the client sent, port and all.
  radix::Node* hosts_ = nullptr;
  radix::Node* authorities_ = nullptr;
  radix::Node* any_host_ = nullptr;  // a tree of paths
};

}  // namespace sluice::gateway
