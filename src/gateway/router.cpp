// SPDX-License-Identifier: Apache-2.0
#include "gateway/router.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/slab.h"
#include "base/text.h"

namespace sluice::gateway {
namespace {

using radix::Counted;
using radix::Node;
using radix::Slot;
using Parameter = plugin::Exchange::Parameter;

constexpr std::size_t host_bytes_max = 255;

// The routes of one pattern literal, best first.
struct Entry {
  Route* route;
  std::uint16_t uri;      // index of the pattern
  std::uint16_t methods;  // 0: any
  PathPattern::Kind kind;
  bool asks_more;  // than the method and the path: the route itself has to be read
};
static_assert(sizeof(Entry) == 16);

struct Bucket final : Counted {
  std::uint32_t count = 0, capacity;

  Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
  const Entry* entries() const { return reinterpret_cast<const Entry*>(this + 1); }

  static Bucket* make(std::uint32_t capacity) {
    radix::destroyers[static_cast<int>(radix::Kind::bucket)] = &Bucket::destroy_bucket;
    return new (Slab::take(bytes_of(capacity))) Bucket(capacity);
  }
  // The entries have been released, or moved.
  static void free(Bucket* bucket) { Slab::give(bucket, bytes_of(bucket->capacity)); }

 private:
  static std::size_t bytes_of(std::uint32_t capacity) { return sizeof(Bucket) + capacity * sizeof(Entry); }
  explicit Bucket(std::uint32_t room) : Counted(radix::Kind::bucket), capacity(room) {}
  static void destroy_bucket(Counted* self) {
    auto* bucket = static_cast<Bucket*>(self);
    for (std::uint32_t i = 0; i < bucket->count; ++i) radix::release(bucket->entries()[i].route);
    Bucket::free(bucket);
  }
};

// Priority, then the longer pattern, then the id, so that equal routes have one order wherever they are
// loaded.
bool goes_before(const Entry& a, const Entry& b) {
  if (a.route->priority() != b.route->priority()) return a.route->priority() > b.route->priority();
  const std::size_t a_size = a.route->uri(a.uri).size(), b_size = b.route->uri(b.uri).size();
  if (a_size != b_size) return a_size > b_size;
  return a.route->id() < b.route->id();
}

// A bucket nobody else refers to, with room for `room` more; takes the reference.
Bucket* own(Bucket* bucket, std::uint32_t room) {
  if (bucket == nullptr) return Bucket::make(room);
  const std::uint32_t needed = bucket->count + room;
  if (bucket->references == 1 && bucket->capacity >= needed) return bucket;
  Bucket* copy = Bucket::make(bucket->references == 1 ? std::max(needed, bucket->count * 2) : needed);
  std::copy_n(bucket->entries(), bucket->count, copy->entries());
  copy->count = bucket->count;
  if (bucket->references == 1) {
    Bucket::free(bucket);
  } else {
    for (std::uint32_t i = 0; i < copy->count; ++i) radix::share(copy->entries()[i].route);
    --bucket->references;
  }
  return copy;
}

// A place with one plain route holds the route itself; this makes the bucket that more of them need.
Bucket* bucket_of(Counted* value, bool with_hosts) {
  if (value == nullptr || value->kind == radix::Kind::bucket) return static_cast<Bucket*>(value);
  auto* route = static_cast<Route*>(value);  // its reference moves into the entry
  Bucket* bucket = Bucket::make(2);
  const bool asks_more = route->has_conditions() || (with_hosts && route->host_count() > 0);
  bucket->entries()[0] = {route, 0, static_cast<std::uint16_t>(route->methods()), PathPattern::Kind::prefix,
                          asks_more};
  bucket->count = 1;
  return bucket;
}

class AddEntry final : public radix::Change {
 public:
  AddEntry(Entry entry, bool with_hosts) : entry_(entry), with_hosts_(with_hosts) {}
  Counted* apply(Counted* old) override {
    if (old == nullptr && entry_.route->plain()) return radix::share(entry_.route);
    Bucket* bucket = own(bucket_of(old, with_hosts_), 1);
    Entry* begin = bucket->entries();
    Entry* end = begin + bucket->count;
    Entry* at = std::upper_bound(begin, end, entry_, goes_before);
    std::move_backward(at, end, end + 1);
    *at = entry_;
    radix::share(entry_.route);
    ++bucket->count;
    return bucket;
  }

 private:
  Entry entry_;
  bool with_hosts_;
};

class RemoveEntry final : public radix::Change {
 public:
  RemoveEntry(const Route& route, std::uint16_t uri) : route_(route), uri_(uri) {}
  Counted* apply(Counted* old) override {
    if (old == &route_) {
      radix::release(old);
      return nullptr;
    }
    if (old == nullptr || old->kind == radix::Kind::route) return old;
    auto* bucket = static_cast<Bucket*>(old);
    if (find(bucket) == bucket->count) return old;
    bucket = own(bucket, 0);
    Entry* at = bucket->entries() + find(bucket);
    radix::release(at->route);
    std::move(at + 1, bucket->entries() + bucket->count, at);
    if (--bucket->count > 0) return bucket;
    radix::release(bucket);
    return nullptr;
  }

 private:
  std::uint32_t find(const Bucket* bucket) const {
    const Entry* begin = bucket->entries();
    const Entry* end = begin + bucket->count;
    return static_cast<std::uint32_t>(
        std::find_if(begin, end, [&](const Entry& e) { return e.route == &route_ && e.uri == uri_; }) -
        begin);
  }
  const Route& route_;
  std::uint16_t uri_;
};

// Adds (or removes, when `added` is null) every pattern of the route in a tree of paths.
class ChangePaths final : public radix::Change {
 public:
  ChangePaths(const Route& route, Route* added, RouterMode mode)
      : route_(route), added_(added), mode_(mode) {}
  Counted* apply(Counted* old) override { return paths(static_cast<Node*>(old)); }

  Node* paths(Node* tree) {
    for (std::uint16_t i = 0; i < route_.uri_count(); ++i) {
      const PathPattern pattern = take_apart(route_.uri(i), mode_);
      const Slot slot = pattern.kind == PathPattern::Kind::exact ? Slot::exact : Slot::prefix;
      if (added_ != nullptr) {
        const bool with_hosts = mode_ != RouterMode::host_uri;
        const bool asks_more = route_.has_conditions() || (with_hosts && route_.host_count() > 0);
        AddEntry add({added_, i, static_cast<std::uint16_t>(route_.methods()), pattern.kind, asks_more},
                     with_hosts);
        tree = radix::update(tree, pattern.literal, slot, add);
      } else {
        RemoveEntry remove(route_, i);
        tree = radix::update(tree, pattern.literal, slot, remove);
      }
    }
    return tree;
  }

 private:
  const Route& route_;
  Route* added_;
  RouterMode mode_;
};

std::string_view reversed(std::string_view host, char* into) {
  std::reverse_copy(host.begin(), host.end(), into);
  return {into, host.size()};
}

bool match_bucket(const Bucket* bucket, const RouteQuestion& question, bool with_hosts, RouteMatch& found,
                  std::span<Parameter> captured) {
  for (std::uint32_t i = 0; i < bucket->count; ++i) {
    const Entry& entry = bucket->entries()[i];
    if (entry.methods != 0 && (entry.methods & method_bit(question.method)) == 0) continue;
    if (entry.asks_more && !entry.route->accepts(question, with_hosts)) continue;
    found.parameter_count = 0;
    const bool compare =
        entry.kind == PathPattern::Kind::parameters || entry.kind == PathPattern::Kind::regex;
    if (compare && !entry.route->fits(entry.uri, entry.kind, question.path, captured, found.parameter_count))
      continue;
    found.route = entry.route;
    found.uri = entry.uri;
    return true;
  }
  return false;
}

bool match_value(const Counted* value, const RouteQuestion& question, bool with_hosts, RouteMatch& found,
                 std::span<Parameter> captured) {
  if (value->kind == radix::Kind::bucket) {
    return match_bucket(static_cast<const Bucket*>(value), question, with_hosts, found, captured);
  }
  const auto* route = static_cast<const Route*>(value);
  if (route->methods() != 0 && (route->methods() & method_bit(question.method)) == 0) return false;
  if (!route->accepts(question, with_hosts)) return false;
  found = {route, 0, 0};
  return true;
}

// Offers the prefix values of a walk, longest first, walking again when there were more than a walk keeps.
template <class Offer>
bool longest_first(const Node* tree, std::string_view text, radix::Walk& walk, const Offer& offer) {
  while (true) {
    const std::size_t kept = std::min(walk.met, radix::Walk::hits_max);
    std::size_t shortest = 0;
    for (std::size_t i = 1; i <= kept; ++i) {
      const radix::Hit& hit = walk.prefixes[(walk.met - i) % radix::Walk::hits_max];
      if (offer(hit)) return true;
      shortest = hit.length;
    }
    if (walk.met <= kept || shortest == 0) return false;
    walk.met = 0;
    radix::walk(tree, text, shortest - 1, walk);
  }
}

bool match_path(const Node* tree, const RouteQuestion& question, bool with_hosts, RouteMatch& found,
                std::span<Parameter> captured) {
  radix::Walk walk;
  radix::walk(tree, question.path, question.path.size(), walk);
  if (walk.exact != nullptr && match_value(walk.exact, question, with_hosts, found, captured)) {
    return true;
  }
  return longest_first(tree, question.path, walk, [&](const radix::Hit& hit) {
    return match_value(hit.value, question, with_hosts, found, captured);
  });
}

bool match_host(const Node* hosts, std::string_view host, const RouteQuestion& question, RouteMatch& found,
                std::span<Parameter> captured) {
  if (host.size() > host_bytes_max) return false;
  char buffer[host_bytes_max];
  const std::string_view key = reversed(host, buffer);
  radix::Walk walk;
  radix::walk(hosts, key, key.size(), walk);
  const auto search = [&](const Counted* paths) {
    return match_path(static_cast<const Node*>(paths), question, false, found, captured);
  };
  if (walk.exact != nullptr && search(walk.exact)) return true;
  return longest_first(hosts, key, walk, [&](const radix::Hit& hit) { return search(hit.value); });
}

}  // namespace

Router::Router(const Router& other)
    : mode_(other.mode_),
      hosts_(static_cast<Node*>(radix::share(other.hosts_))),
      authorities_(static_cast<Node*>(radix::share(other.authorities_))),
      any_host_(static_cast<Node*>(radix::share(other.any_host_))) {}

Router::Router(Router&& other) noexcept
    : mode_(other.mode_),
      hosts_(std::exchange(other.hosts_, nullptr)),
      authorities_(std::exchange(other.authorities_, nullptr)),
      any_host_(std::exchange(other.any_host_, nullptr)) {}

Router& Router::operator=(Router other) noexcept {
  std::swap(mode_, other.mode_);
  std::swap(hosts_, other.hosts_);
  std::swap(authorities_, other.authorities_);
  std::swap(any_host_, other.any_host_);
  return *this;
}

Router::~Router() {
  radix::release(hosts_);
  radix::release(authorities_);
  radix::release(any_host_);
}

void Router::add(Route& route) { change(route, &route); }
void Router::remove(const Route& route) { change(route, nullptr); }

void Router::change(const Route& route, Route* added) {
  ChangePaths paths(route, added, mode_);
  if (mode_ != RouterMode::host_uri || route.host_count() == 0) {
    any_host_ = paths.paths(any_host_);
    return;
  }
  for (std::uint16_t i = 0; i < route.host_count(); ++i) {
    std::string_view host = route.host(i);
    Node*& tree = host.find(':') == std::string_view::npos ? hosts_ : authorities_;
    const bool wild = host.starts_with('*');
    if (wild) host.remove_prefix(1);
    if (host.size() > host_bytes_max) continue;  // no request can have it
    char buffer[host_bytes_max];
    tree = radix::update(tree, reversed(host, buffer), wild ? Slot::prefix : Slot::exact, paths);
  }
}

bool Router::match(const RouteQuestion& question, RouteMatch& found, std::span<Parameter> captured) const {
  found = {};
  if (authorities_ != nullptr && question.authority.size() <= host_bytes_max) {
    char buffer[host_bytes_max];
    const std::string_view authority(buffer, question.authority.size());
    std::transform(question.authority.begin(), question.authority.end(), buffer, lower);
    if (match_host(authorities_, authority, question, found, captured)) return true;
    if (match_host(authorities_, question.host, question, found, captured)) return true;
  }
  if (hosts_ != nullptr && match_host(hosts_, question.host, question, found, captured)) return true;
  if (any_host_ == nullptr) return false;
  return match_path(any_host_, question, mode_ != RouterMode::host_uri, found, captured);
}

}  // namespace sluice::gateway
