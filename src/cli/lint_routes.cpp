// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "cli/lint.h"

namespace sluice::cli {
namespace {

using json::Value;

// Members that ask more of a request than its host, path and method.
constexpr std::string_view conditions[] = {"vars", "remote_addr", "remote_addrs", "filter_func"};
// Plugins that let nobody through who is not known, besides those that end in "-auth".
constexpr std::string_view more_authentication[] = {"openid-connect", "authz-keycloak", "authz-casdoor",
                                                    "wolf-rbac", "opa"};

std::vector<std::string> texts_of(const Value& body, std::string_view one, std::string_view many) {
  std::vector<std::string> texts;
  if (const auto text = body.text(one); !text.empty()) texts.emplace_back(text);
  if (const Value* list = body.find(many); list != nullptr && list->is_array()) {
    for (const Value& item : list->as_array()) {
      if (item.is_string()) texts.push_back(item.as_string());
    }
  }
  return texts;
}

const Item* referred(const Configuration& configuration, const Item& item, std::string_view member,
                     std::string_view kind) {
  const Value* id = item.body.find(member);
  if (id == nullptr) return nullptr;
  const std::string text =
      id->is_integer() ? std::to_string(id->as_int()) : std::string(item.body.text(member));
  return configuration.find(*model::find_resource(kind), text);
}

// ---- shadows ----

// A route as the router sees it.
struct Seen {
  const Item* item = nullptr;
  std::int64_t priority = 0;
  std::set<std::string> methods;  // empty: all
  std::vector<const Value*> asks;  // of each of `conditions`, null when it asks nothing

  explicit Seen(const Item& route) : item(&route) {
    if (const Value* written = route.body.find("priority"); written != nullptr && written->is_integer())
      priority = written->as_int();
    for (auto& method : texts_of(route.body, "", "methods")) methods.insert(std::move(method));
    for (const auto member : conditions) {
      const Value* condition = route.body.find(member);
      const bool nothing = condition == nullptr || (condition->is_array() && condition->as_array().empty());
      asks.push_back(nothing ? nullptr : condition);
    }
  }

  // Of routes with the same host and path: whether it is asked first.
  bool goes_before(const Seen& other) const {
    return priority != other.priority ? priority > other.priority : item->id < other.item->id;
  }
  // Whether it takes every request that the other would take.
  bool covers(const Seen& other) const {
    const bool by_method = methods.empty() || (!other.methods.empty() &&
                                               std::ranges::includes(methods, other.methods));
    if (!by_method) return false;
    for (std::size_t i = 0; i < asks.size(); ++i) {
      const bool same = other.asks[i] != nullptr && asks[i] != nullptr && *asks[i] == *other.asks[i];
      if (asks[i] != nullptr && !same) return false;
    }
    return true;
  }
};

// Why the first of two that cover each other's requests is asked first.
std::string reason(const Seen& first, const Seen& second) {
  if (first.priority != second.priority)
    return fmt::format("its priority is {}, not {}", first.priority, second.priority);
  return "their priorities are equal, and then the smaller id goes first";
}

class Shadows {
 public:
  explicit Shadows(const Configuration& configuration) {
    for (const auto& [key, item] : configuration.items()) {
      const Value* status = item.body.find("status");
      const bool off = status != nullptr && status->is_integer() && status->as_int() == 0;
      if (item.resource->path == "routes" && !off) add(configuration, item);
    }
    for (auto& [pattern, routes] : by_pattern_)
      std::ranges::sort(routes, [](const Seen* a, const Seen* b) { return a->goes_before(*b); });
  }

  void tell(std::vector<Finding>& found) const {
    for (const auto& [item, seen] : seen_) tell_of(seen, found);
  }

 private:
  using Pattern = std::pair<std::string, std::string>;  // host ("": any) and path

  void add(const Configuration& configuration, const Item& item) {
    auto hosts = texts_of(item.body, "host", "hosts");
    const Item* service = referred(configuration, item, "service_id", "services");
    if (hosts.empty() && service != nullptr) hosts = texts_of(service->body, "", "hosts");
    if (hosts.empty()) hosts.emplace_back();
    const Seen& seen = seen_.try_emplace(&item, item).first->second;
    for (const auto& uri : texts_of(item.body, "uri", "uris")) {
      for (const auto& host : hosts) {
        const Pattern pattern{lowered(host), uri};
        auto& mine = patterns_[&item];
        if (std::ranges::find(mine, pattern) != mine.end()) continue;
        mine.push_back(pattern);
        by_pattern_[pattern].push_back(&seen);
      }
    }
  }

  // Who takes all that `seen` would get by this pattern; null when nobody does.
  struct Taker {
    const Seen* route = nullptr;
    std::string why;
  };
  Taker taker(const Pattern& pattern, const Seen& seen) const {
    for (const Seen* other : by_pattern_.at(pattern)) {
      if (other == &seen) break;
      if (other->covers(seen)) return {other, reason(*other, seen)};
    }
    const auto longer = by_pattern_.find({pattern.first, "/*"});
    if (pattern.second != "*" || longer == by_pattern_.end()) return {};
    for (const Seen* other : longer->second) {
      if (other->covers(seen)) return {other, "/* is the longer prefix, and every path begins with /"};
    }
    return {};
  }

  void tell_of(const Seen& seen, std::vector<Finding>& found) const {
    const auto patterns = patterns_.find(seen.item);
    if (patterns == patterns_.end()) return;
    std::vector<std::pair<Pattern, Taker>> taken;
    for (const auto& pattern : patterns->second) {
      if (Taker by = taker(pattern, seen); by.route != nullptr) taken.emplace_back(pattern, std::move(by));
    }
    if (taken.empty()) return;
    const auto& [pattern, by] = taken.front();
    const bool all = taken.size() == patterns->second.size();
    const std::string whole = pattern.first + pattern.second;
    found.push_back({Severity::warning, all ? "unreachable-route" : "shadowed-route", seen.item->name(), "",
                     fmt::format("{}: {} takes every request for {} before it ({})",
                                 all ? "no request reaches it" : "a part of it is never reached",
                                 by.route->item->name(), whole, by.why),
                     "delete it, raise its priority, or tell them apart by methods, host or vars"});
  }

  std::map<const Item*, Seen> seen_;
  std::map<const Item*, std::vector<Pattern>> patterns_;
  std::map<Pattern, std::vector<const Seen*>> by_pattern_;
};

// ---- authentication ----

bool authenticates(const Value* plugins) {
  if (plugins == nullptr || !plugins->is_object()) return false;
  return std::ranges::any_of(plugins->as_object(), [](const json::Member& plugin) {
    const bool known = plugin.key.ends_with("-auth") ||
                       std::ranges::find(more_authentication, plugin.key) != std::end(more_authentication);
    const Value* meta = plugin.value.find("_meta");
    const Value* disabled = meta != nullptr ? meta->find("disable") : nullptr;
    return known && !(disabled != nullptr && disabled->is_bool() && disabled->as_bool());
  });
}

bool authenticates(const Configuration& configuration, const Item& route) {
  if (authenticates(route.body.find("plugins"))) return true;
  for (const auto& [member, kind] :
       {std::pair("plugin_config_id", "plugin_configs"), {"service_id", "services"}}) {
    const Item* other = referred(configuration, route, member, kind);
    if (other != nullptr && authenticates(other->body.find("plugins"))) return true;
  }
  return false;
}

void tell_of_open_routes(const Configuration& configuration, std::vector<Finding>& found) {
  std::vector<const Item*> open;
  bool some_are_closed = false;
  for (const auto& [key, item] : configuration.items()) {
    if (item.resource->path == "global_rules" && authenticates(item.body.find("plugins"))) return;
    if (item.resource->path != "routes") continue;
    if (authenticates(configuration, item)) some_are_closed = true;
    else open.push_back(&item);
  }
  for (const Item* item : some_are_closed ? open : std::vector<const Item*>()) {
    found.push_back({Severity::info, "open-route", item->name(), "",
                     "anybody may use it, while other routes ask who is there",
                     "add an authenticating plugin, as key-auth, unless that is meant"});
  }
}

}  // namespace

void lint_routes(const LintInput& input, std::vector<Finding>& found) {
  Shadows(input.configuration).tell(found);
  tell_of_open_routes(input.configuration, found);
}

}  // namespace sluice::cli
