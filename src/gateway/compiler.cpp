// SPDX-License-Identifier: Apache-2.0
#include "gateway/compiler.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "json/text.h"
#include "model/secret_reference.h"

namespace sluice::gateway {
namespace {

constexpr std::array<std::string_view, 12> order{
    "secrets",         "plugin_metadata", "ssls",         "upstreams", "services", "plugin_configs",
    "consumer_groups", "consumers",       "global_rules", "routes",    "protos",   "stream_routes"};

std::string dependency(std::string_view kind, std::string_view id) {
  std::string text(kind);
  text.append("/").append(id);
  return text;
}

}  // namespace

std::span<const std::string_view> Compiler::load_order() { return order; }

Compiler::Compiler(const Settings& settings, const plugin::Registry& registry, upstream::Names& names,
                   upstream::HealthChecker& checker, OnDropped dropped)
    : settings_(settings),
      registry_(registry),
      names_(names),
      checker_(checker),
      dropped_(std::move(dropped)),
      working_(settings.router) {
  working_.metadata_of.resize(registry.size());
}

Compiler::~Compiler() {
  for (auto& [key, item] : items_) {
    if (item.route == nullptr) continue;
    working_.router.remove(*item.route);
    radix::release(item.route);
  }
}

std::unique_ptr<const Snapshot> Compiler::snapshot(std::uint64_t revision) {
  if (std::exchange(stream_routes_changed_, false)) {
    std::vector<std::shared_ptr<const StreamRoute>> all;
    for (const auto& [id, route] : stream_routes_) all.push_back(route);
    working_.streams = all.empty() ? nullptr : std::make_shared<const StreamRoutes>(all);
  }
  auto made = std::make_unique<Snapshot>(working_);
  made->number = revision;
  return made;
}

const Compiler::Item* Compiler::find(std::string_view kind, std::string_view id) const {
  const auto found = items_.find(std::string(model::key_prefix) + dependency(kind, id));
  return found == items_.end() ? nullptr : &found->second;
}

bool Compiler::change(std::string_view key, std::optional<std::string_view> text, std::int64_t revision) {
  left_out_.erase(std::string(key));
  return apply(key, text, revision);
}

void Compiler::remake(const std::string& key) {
  const auto item = items_.find(key);
  if (item == items_.end()) return;
  const std::string text = item->second.text;
  const bool outer = std::exchange(remaking_, true);
  const bool held = apply(key, text, item->second.revision);
  remaking_ = outer;
  const auto found = left_out_.find(key);
  if (held && found != left_out_.end() && !found->second.latest) left_out_.erase(found);
}

bool Compiler::apply(std::string_view key_view, std::optional<std::string_view> text,
                     std::int64_t revision) {
  const auto parts = model::split_key(key_view);
  if (parts.resource == nullptr) return true;  // a kind that nothing here is made of
  const std::string key(key_view);
  if (!text) remove(parts, key);
  else if (!put(parts, key, *text, revision)) return false;
  if (parts.resource->path == "global_rules") remake_global();
  remake_dependents(parts.resource->path, parts.id);
  return true;
}

void Compiler::remove(const model::KeyParts& parts, const std::string& key) {
  note_references(key, {});
  if (parts.resource->path == "secrets" && secrets_ != nullptr) secrets_->set_manager(parts.id, nullptr);
  const auto found = items_.find(key);
  if (found == items_.end()) return;
  Item gone = std::move(found->second);
  items_.erase(found);
  uninstall(parts.resource->path, parts.id, gone);
  if (gone.checks) checker_.remove(key);
  release_uses(key, gone);
}

bool Compiler::put(const model::KeyParts& parts, const std::string& key, std::string_view text,
                   std::int64_t revision) {
  const auto found = items_.find(key);
  auto value = json::parse(text);
  if (!value) return leave_out(key, value.error().what), false;
  Making making{parts.resource->path, parts.id, key, found == items_.end() ? nullptr : &found->second, {}};
  making.fresh.text = text;
  making.fresh.revision = revision;
  if (!resolve_secrets(parts, making, *value)) return false;
  if (!make(making, *value)) return false;
  register_uses(key, making.fresh);
  install(making);
  if (making.fresh.checks) {
    if (auto set = checker_.set(*making.fresh.checks); !set) log::error("{}: {}", key, set.error().what);
  } else if (making.old != nullptr && making.old->checks) {
    checker_.remove(key);
  }
  const Item replaced = std::exchange(items_[key], std::move(making.fresh));
  if (making.old != nullptr) release_uses(key, replaced);
  return true;
}

void Compiler::leave_out(std::string_view key, std::string why) {
  log::error("{}: {}; it is left out", key, why);
  left_out_.try_emplace(std::string(key), LeftOut{std::move(why), !remaking_});
}

void Compiler::complain(std::string_view key, const json::Problems& problems) {
  for (const auto& problem : problems) leave_out(key, problem.path + " " + problem.what);
}

// ---- secrets ----

// With a secret that is not known a resource would be less safe than it was written: what it was before
// stays. A route that was nothing before refuses, so that no other takes its requests, and so does a global
// rule.
bool Compiler::resolve_secrets(const model::KeyParts& parts, Making& making, json::Value& value) {
  const std::string key(making.key);
  json::Findings findings;
  Referring referring{making.fresh.text, making.fresh.revision,
                      model::secret_references_in(*parts.resource, value)};
  const bool has_references = !referring.references.empty();
  if (!remaking_) note_references(key, std::move(referring));
  const auto find = [this](std::string_view reference) -> Result<std::string> {
    if (secrets_ != nullptr) return secrets_->want(reference);
    return fail(ErrorKind::not_found, "names " + std::string(reference) + ", and no manager is asked here");
  };
  model::resolve_secret_references(*parts.resource, value, findings, find);
  if (findings.warnings.empty()) {
    if (has_references) making.fresh.resolved = json::dump(value);
    return true;
  }
  complain(key, findings.warnings);
  const bool would_open =
      making.kind == "routes" || making.kind == "stream_routes" || making.kind == "global_rules";
  if (!would_open || making.old != nullptr) return false;
  value.set("plugins", json::Value::object());
  making.fresh.refuses = true;
  return true;
}

void Compiler::note_references(const std::string& key, Referring referring) {
  if (const auto found = referring_.find(key); found != referring_.end()) {
    for (const auto& reference : found->second.references) {
      const auto users = secret_users_.find(reference);
      if (users == secret_users_.end()) continue;
      users->second.erase(key);
      if (users->second.empty()) secret_users_.erase(users);
    }
    referring_.erase(found);
  }
  if (referring.references.empty()) return;
  for (const auto& reference : referring.references) secret_users_[reference].insert(key);
  referring_[key] = std::move(referring);
}

void Compiler::secret_changed(std::string_view reference) {
  const auto users = secret_users_.find(std::string(reference));
  if (users == secret_users_.end()) return;
  const std::vector<std::string> keys(users->second.begin(), users->second.end());
  for (const auto& key : keys) {
    const Referring referring = referring_[key];
    change(key, referring.text, referring.revision);
  }
}

bool Compiler::make(Making& making, const json::Value& value) {
  if (making.kind == "routes") return make_route(making, value);
  if (making.kind == "stream_routes") return make_stream_route(making, value);
  if (making.kind == "services") return make_service(making, value);
  if (making.kind == "upstreams") return make_upstream(making, value);
  if (making.kind == "consumers") return make_consumer(making, value);
  if (making.kind == "credentials") return make_credential(making, value);
  if (making.kind == "plugin_metadata") return make_metadata(making, value);
  if (making.kind == "plugin_configs") return make_plugins<model::PluginConfig>(making, value);
  if (making.kind == "consumer_groups") return make_plugins<model::ConsumerGroup>(making, value);
  if (making.kind == "global_rules") return make_plugins<model::GlobalRule>(making, value);
  if (making.kind == "secrets" && secrets_ != nullptr) secrets_->set_manager(making.id, &value);
  return making.kind == "ssls" ? make_ssl(making, value) : true;
}

void Compiler::install(const Making& making) {
  const Item& fresh = making.fresh;
  if (making.old != nullptr) uninstall(making.kind, making.id, *making.old);
  if (fresh.route != nullptr) working_.router.add(*fresh.route);
  if (fresh.stream_route != nullptr) {
    stream_routes_[std::string(making.id)] = fresh.stream_route;
    stream_routes_changed_ = true;
  }
  if (making.kind == "upstreams")
    working_.destinations.set(slot_of(std::string(making.id)), fresh.destination);
  if (fresh.consumer != nullptr) {
    if (making.kind == "consumers") working_.consumers = working_.consumers.with(making.id, fresh.consumer);
    for (const auto& credential : fresh.credentials)
      working_.credentials = working_.credentials.with(credential, fresh.consumer);
  }
  if (fresh.certificate != nullptr) certificates_.add(fresh.certificate, fresh.revision);
  if (making.kind == "ssls") working_.certificates = certificates_.names();
  if (making.kind == "plugin_metadata") {
    if (const auto* type = registry_.find(making.id)) working_.metadata_of[*type->index] = fresh.metadata;
  }
}

void Compiler::uninstall(std::string_view kind, std::string_view id, const Item& item) {
  if (item.route != nullptr) {
    working_.router.remove(*item.route);
    radix::release(item.route);
  }
  if (item.stream_route != nullptr) {
    stream_routes_.erase(std::string(id));
    stream_routes_changed_ = true;
  }
  if (kind == "upstreams") working_.destinations.set(slot_of(std::string(id)), nullptr);
  if (item.certificate != nullptr) {
    certificates_.remove(item.certificate);
    working_.certificates = certificates_.names();
  }
  if (item.consumer != nullptr) {
    if (kind == "consumers") working_.consumers = working_.consumers.without(id);
    for (const auto& credential : item.credentials) {
      const auto* holder = working_.credentials.find(credential);
      if (holder != nullptr && *holder == item.consumer)
        working_.credentials = working_.credentials.without(credential);
    }
  }
  if (kind == "plugin_metadata") {
    if (const auto* type = registry_.find(id)) working_.metadata_of[*type->index] = nullptr;
  }
}

// A slot stays with its id while anything names it.
std::uint32_t Compiler::slot_of(const std::string& id) {
  auto& slot = slots_[id];
  if (slot.uses == 0) {
    if (free_slots_.empty()) {
      SLUICE_CHECK(next_slot_ < decltype(working_.destinations)::size_max);
      slot.index = next_slot_++;
    } else {
      slot.index = free_slots_.back();
      free_slots_.pop_back();
    }
    slot.uses = 1;
  }
  return slot.index;
}

void Compiler::uses(Making& making, std::string_view kind, const model::Id& id) {
  if (!id.empty()) making.fresh.uses.emplace_back(kind, id.text);
}

void Compiler::register_uses(const std::string& key, const Item& item) {
  for (const auto& [kind, id] : item.uses) dependents_[dependency(kind, id)].insert(key);
  for (const auto& name : item.names) {
    names_.use(name);
    named_[name].insert(key);
  }
}

void Compiler::release_uses(const std::string& key, const Item& item) {
  const auto current = items_.find(key);  // what replaces it may use the same
  const auto still = [&](const auto& list, const auto& entry) {
    return current != items_.end() &&
           std::ranges::find(current->second.*list, entry) != (current->second.*list).end();
  };
  for (const auto& use : item.uses) {
    if (still(&Item::uses, use)) continue;
    const auto found = dependents_.find(dependency(use.first, use.second));
    if (found == dependents_.end()) continue;
    found->second.erase(key);
    if (found->second.empty()) dependents_.erase(found);
  }
  for (const auto& name : item.names) {
    names_.release(name);
    if (still(&Item::names, name)) continue;
    const auto found = named_.find(name);
    if (found == named_.end()) continue;
    found->second.erase(key);
    if (found->second.empty()) named_.erase(found);
  }
}

void Compiler::remake_dependents(std::string_view kind, std::string_view id) {
  if (kind == "upstreams") return;  // reached through their slot
  const auto found = dependents_.find(dependency(kind, id));
  if (found == dependents_.end()) return;
  const std::vector<std::string> keys(found->second.begin(), found->second.end());
  for (const auto& key : keys) remake(key);
}

void Compiler::name_changed(std::string_view name) {
  const auto found = named_.find(std::string(name));
  if (found == named_.end()) return;
  const std::vector<std::string> keys(found->second.begin(), found->second.end());
  for (const auto& key : keys) remake(key);
}

void Compiler::remake_global() {
  std::vector<Link> links;
  working_.refusal = 0;
  for (const auto& [key, item] : items_) {
    if (!key.starts_with(std::string(model::key_prefix) + "global_rules/")) continue;
    if (item.refuses) working_.refusal = 503;
    links.insert(links.end(), item.chain.links().begin(), item.chain.links().end());
  }
  working_.global = Chain(std::move(links));
}

}  // namespace sluice::gateway
