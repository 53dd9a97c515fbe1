// SPDX-License-Identifier: Apache-2.0
// Turns resources into snapshots. It keeps the text of every resource and what was made of it, so that a
// change costs what it touches: an edited route makes one route, an edited upstream fills one slot, an edited
// service makes its routes. What did not change keeps its identity: plugin objects, and all state that hangs
// off them. A resource that does not hold is named in the log and its last good version stays. Control
// thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gateway/settings.h"
#include "gateway/snapshot.h"
#include "model/resources.h"
#include "model/secret_reference.h"
#include "model/tls.h"
#include "plugin/registry.h"
#include "upstream/build.h"
#include "upstream/health_checker.h"
#include "upstream/names.h"

namespace sluice::gateway {

class Compiler {
 public:
  // A plugin object that no snapshot refers to any more; called on any thread.
  using OnDropped = std::function<void(const plugin::Plugin*)>;
  Compiler(const Settings& settings, const plugin::Registry& registry, upstream::Names& names,
           upstream::HealthChecker& checker, OnDropped dropped);
  ~Compiler();

  // Where what `$secret://` references stand for comes from; outlives the compiler. Without it none is known.
  void use_secrets(model::SecretSource& secrets) { secrets_ = &secrets; }
  // "/apisix/routes/1" is now `text`, or gone. False when it does not hold and was left out.
  bool change(std::string_view key, std::optional<std::string_view> text, std::int64_t revision);
  // The addresses of a name have changed.
  void name_changed(std::string_view name);
  // What a reference stands for has changed.
  void secret_changed(std::string_view reference);
  bool uses_secret(std::string_view reference) const {
    return secret_users_.contains(std::string(reference));
  }
  // The value of a key cannot be read: what it was before stays, and `why` is told.
  void leave_out(std::string_view key, std::string why);
  struct LeftOut {
    std::string why;
    bool latest = true;  // what was written last; else what is published could not be made once more
  };
  // By key.
  const std::map<std::string, LeftOut>& left_out() const { return left_out_; }
  // Everything so far, between two changes; borrowed.
  const plugin::ConfigView& latest() const { return working_; }
  // A version with everything so far.
  std::unique_ptr<const Snapshot> snapshot(std::uint64_t revision);

  // The kinds in the order in which they are best loaded: what is referred to comes first.
  static std::span<const std::string_view> load_order();

 private:
  struct Item {
    std::string text;
    std::string resolved;  // with what references stand for; empty: there is none
    bool refuses = false;  // a route or a global rule without its plugins: their secrets are not known
    std::int64_t revision = 0;
    std::vector<std::string> names;                // resolved for it
    std::vector<std::pair<std::string, std::string>> uses;  // kind and id it depends on
    // What was made of it; which of these is set follows from its kind.
    Route* route = nullptr;                              // routes; owns one reference
    std::shared_ptr<const RouteTarget> target;           // routes, stream routes
    std::shared_ptr<const StreamRoute> stream_route;     // stream routes
    Chain chain;  // services, plugin_configs, groups, global rules, consumers
    std::shared_ptr<const Destination> destination;      // upstreams; services with an upstream of their own
    std::uint32_t slot = RouteTarget::no_slot;           // services with an upstream by id
    plugin::RouteInfo info;                              // services: id and name
    std::vector<std::string> hosts;                      // services
    std::optional<bool> websocket;                       // services
    std::optional<upstream::HealthSubject> checks;       // whatever has an upstream with checks
    std::shared_ptr<const void> metadata;                // plugin_metadata
    std::shared_ptr<const model::Ssl> ssl;               // ssls of type client
    std::shared_ptr<const Certificate> certificate;      // ssls of type server that are in use
    std::shared_ptr<const ConsumerEntry> consumer;       // consumers; credentials of one that exists
    std::vector<std::string> credentials;                // the same: keys in the map
  };
  // What names secrets, whether it holds or is left out.
  struct Referring {
    std::string text;
    std::int64_t revision = 0;
    std::vector<std::string> references;
  };
  struct Slot {
    std::uint32_t index = 0;
    std::uint32_t uses = 0;
  };
  using Items = std::unordered_map<std::string, Item>;
  // What is being made: the item so far, what stood there before (null for a new one), and its key.
  struct Making {
    std::string_view kind, id, key;
    const Item* old;
    Item fresh;
  };

  // What is published under `key`, for what it was made of has changed.
  void remake(const std::string& key);
  bool apply(std::string_view key, std::optional<std::string_view> text, std::int64_t revision);
  bool put(const model::KeyParts& parts, const std::string& key, std::string_view text,
           std::int64_t revision);
  void remove(const model::KeyParts& parts, const std::string& key);
  bool resolve_secrets(const model::KeyParts& parts, Making& making, json::Value& value);
  void note_references(const std::string& key, Referring referring);

  bool make(Making& making, const json::Value& value);
  bool make_route(Making& making, const json::Value& value);
  bool make_stream_route(Making& making, const json::Value& value);
  bool make_service(Making& making, const json::Value& value);
  bool make_upstream(Making& making, const json::Value& value);
  bool make_consumer(Making& making, const json::Value& value);
  bool make_credential(Making& making, const json::Value& value);
  bool make_metadata(Making& making, const json::Value& value);
  bool make_ssl(Making& making, const json::Value& value);
  template <class T>
  bool make_plugins(Making& making, const json::Value& value);
  void install(const Making& making);
  void uninstall(std::string_view kind, std::string_view id, const Item& item);
  void remake_dependents(std::string_view kind, std::string_view id);
  void remake_global();

  // Links of `old_chain` (may be null) whose configs have not changed are kept.
  std::optional<Chain> make_chain(Making& making, const model::PluginConfigs& plugins,
                                  const Chain* old_chain);
  bool add_consumer_plugin(Making& making, const plugin::PluginType& type, const json::Value& config,
                           ConsumerEntry& entry);
  std::optional<Link> make_link(const plugin::PluginType& type, const json::Value& config,
                                std::string_view key);
  // Reads `value` as T; false with problems.
  template <class T>
  bool read_as(const json::Value& value, T& into, std::string_view key);
  void complain(std::string_view key, const json::Problems& problems);
  // False when an upstream of a plugin's does not hold.
  bool make_ways(Making& making, Link& link);
  std::shared_ptr<const Destination> make_destination(Making& making, model::Upstream written);
  // Puts the pair of the ssl that `tls` names into it; false when there is no such.
  bool find_client_certificate(Making& making, model::UpstreamTls& tls);
  void find_target(Making& making, const model::Route& written, RouteTarget& target);
  Chain merge_lower(Making& making, const model::Route& written, Chain own, RouteTarget& target);
  void uses(Making& making, std::string_view kind, const model::Id& id);
  void register_uses(const std::string& key, const Item& item);
  void release_uses(const std::string& key, const Item& item);
  std::uint32_t slot_of(const std::string& id);
  const Item* find(std::string_view kind, std::string_view id) const;

  const Settings& settings_;
  const plugin::Registry& registry_;
  upstream::Names& names_;
  upstream::HealthChecker& checker_;
  upstream::HealthTable health_;
  OnDropped dropped_;
  model::SecretSource* secrets_ = nullptr;
  Items items_;                                              // by key
  std::map<std::string, LeftOut> left_out_;
  bool remaking_ = false;  // what is published, because of something else
  std::unordered_map<std::string, Referring> referring_;     // by key
  std::unordered_map<std::string, std::unordered_set<std::string>> secret_users_;  // reference → keys
  std::unordered_map<std::string, std::unordered_set<std::string>> dependents_;  // "kind/id" → keys
  std::unordered_map<std::string, std::unordered_set<std::string>> named_;       // name → keys
  std::unordered_map<std::string, Slot> slots_;              // of upstreams, by id
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_slot_ = 0;
  CertificateBook certificates_;
  std::map<std::string, std::shared_ptr<const StreamRoute>, std::less<>> stream_routes_;  // by id
  bool stream_routes_changed_ = false;
  Snapshot working_;
};

}  // namespace sluice::gateway
