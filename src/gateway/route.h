// SPDX-License-Identifier: Apache-2.0
// What the router knows of one route: its patterns, its priority and its conditions, compiled. Immutable once
// made. Made, shared and released by the control thread only (its count of references is a plain number);
// read by every worker while a snapshot that holds it is pinned.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cidr.h"
#include "base/regex.h"
#include "base/result.h"
#include "gateway/radix_tree.h"
#include "http/message.h"
#include "plugin/exchange.h"
#include "plugin/expression.h"

namespace sluice::gateway {

// What a match leads to; the router only carries it.
class RouteTarget;

// APISIX's `apisix.router.http`.
enum class RouterMode : std::uint8_t { host_uri, uri, uri_with_parameter };

// A condition written as a function (filter_func); called on the worker.
class RouteFilter {
 public:
  virtual ~RouteFilter() = default;
  virtual bool matches(plugin::Exchange& x) const = 0;
};

constexpr std::uint32_t method_bit(http::Method method) { return 1u << static_cast<unsigned>(method); }

// Asked of the router: one request. `exchange` is only handed on to variables and filters.
struct RouteQuestion {
  http::Method method = http::Method::get;
  std::string_view host;       // lower case, without the port
  std::string_view authority;  // as sent, maybe with a port
  std::string_view path;       // decoded and normalised
  IpAddress remote;
  plugin::Exchange* exchange = nullptr;
};

struct RouteSpec {
  std::string id;
  std::vector<std::string> uris;   // "/a", "/a/*", "/a/:name/*rest"; 1 to 65535
  std::vector<std::string> hosts;  // "foo.com", "*.foo.com"; empty: any host
  std::uint32_t methods = 0;       // method_bit of each; 0: any
  int priority = 0;
  std::vector<Cidr> remote_addresses;  // empty: any
  plugin::Expression vars;
  std::shared_ptr<const RouteFilter> filter;
  std::shared_ptr<const RouteTarget> target;
};

// A path pattern, taken apart.
struct PathPattern {
  enum class Kind : std::uint8_t {
    exact,       // the literal is the whole path
    prefix,      // the literal, then anything
    parameters,  // segments with names, compared one by one
    regex,       // a * that is not the last segment
  };
  Kind kind = Kind::exact;
  std::string_view literal;  // what comes before the first parameter: a view into the pattern
};
PathPattern take_apart(std::string_view pattern, RouterMode mode);

class Route final : public radix::Counted {
 public:
  // Fails when a pattern is longer than 65535 bytes or there are more than 65535 of a kind.
  static Result<Route*> make(RouteSpec spec, RouterMode mode);  // the caller owns one reference

  std::string_view id() const;
  int priority() const { return priority_; }
  std::uint32_t methods() const { return methods_; }
  // Whether there is more to ask than the method (and, in the uri modes, the host).
  bool has_conditions() const { return conditions_ != nullptr; }
  const RouteTarget* target() const { return target_.get(); }
  std::uint16_t uri_count() const { return uri_count_; }
  std::uint16_t host_count() const { return host_count_; }
  std::string_view uri(std::size_t index) const { return text(index); }
  std::string_view host(std::size_t index) const { return text(uri_count_ + index); }  // lower case

  // The conditions but the method, in APISIX's order: remote address, hosts, vars, filter. Hosts are left out
  // in host_uri mode, where the tree has compared them.
  bool accepts(const RouteQuestion& question, bool with_hosts) const;
  // The host pattern that fits what was asked for; empty when there is none. Exact ones first, then the
  // longest. `host_of_match` is the same for a route that has matched.
  std::string_view fitting_host(const RouteQuestion& question) const;
  std::string_view host_of_match(const RouteQuestion& question) const {
    return host_count_ == 1 ? host(0) : fitting_host(question);
  }
  // Whether the path fits pattern `index`, whose literal the tree has compared already; captures what it
  // names.
  bool fits(std::size_t index, PathPattern::Kind kind, std::string_view path,
            std::span<plugin::Exchange::Parameter> captured, std::uint32_t& count) const;
  bool names_port() const { return names_port_; }
  // One pattern, which the tree compares whole: such a route hangs in the tree without an entry of its own.
  bool plain() const { return plain_; }

 private:
  struct Conditions {
    CidrSet remote;
    bool any_remote = true;
    plugin::Expression vars;
    std::shared_ptr<const RouteFilter> filter;
    std::vector<Regex> regexes;  // by uri index, only where the kind is regex
  };
  Route();
  static void destroy(Counted* self);
  // The object is followed by the ends of the uris and hosts, then by their text and the id. With one uri and
  // one host the ends fill the first cache line, so that nothing else is read of a route that matches.
  std::uint32_t* ends() { return reinterpret_cast<std::uint32_t*>(this + 1); }
  const std::uint32_t* ends() const { return reinterpret_cast<const std::uint32_t*>(this + 1); }
  const char* texts() const { return reinterpret_cast<const char*>(ends() + uri_count_ + host_count_); }
  std::string_view text(std::size_t index) const {
    const std::uint32_t begin = index == 0 ? 0 : ends()[index - 1];
    return {texts() + begin, ends()[index] - begin};
  }
  void store_texts(const RouteSpec& spec);

  // What every match reads stands in the first cache line.
  std::uint32_t methods_ = 0;
  int priority_ = 0;
  std::uint16_t uri_count_ = 0, host_count_ = 0;
  bool names_port_ = false, plain_ = false;
  std::unique_ptr<const Conditions> conditions_;  // null when there are none but the method
  std::shared_ptr<const RouteTarget> target_;
  std::uint32_t size_ = 0;  // of the whole piece of memory
};

}  // namespace sluice::gateway
