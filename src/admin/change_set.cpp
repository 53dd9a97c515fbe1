// SPDX-License-Identifier: Apache-2.0
#include "admin/change_set.h"

#include <fmt/core.h>

#include <algorithm>

#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Value;
using model::Resource;
using Kind = store::Condition::Kind;

std::string forbidden_time(const Value& body) {
  for (std::string_view part : {"", "upstream", "plugins"}) {
    const Value* object = part.empty() ? &body : body.find(part);
    for (std::string_view time : {"create_time", "update_time"}) {
      if (object && object->find(time)) return fmt::format("{}{}{}", part, part.empty() ? "" : ".", time);
    }
  }
  return {};
}

std::string missing_reference(const Resource& target, std::string_view id) {
  return fmt::format("failed to fetch {} info by {} id [{}], response code: 404", target.kind, target.kind,
                     id);
}

// An upstream shows its servers a pair of type client.
void refuse_server_pair(Draft& draft, const json::Reference& reference) {
  draft.findings.problems.push_back(
      {reference.path, fmt::format("ssl {} is not of type client", reference.id),
       fmt::format("failed to fetch ssl info by ssl id [{}], wrong ssl type", reference.id)});
}

// Removing such a resource asks whether anything refers to it.
bool is_guarded(const Draft& draft) {
  const bool owns = model::child_of(*draft.resource) != nullptr;
  return !draft.body && (owns || (!draft.resource->still_used.empty() && !draft.forced));
}

}  // namespace

void ChangeSet::add(Draft draft) {
  auto [at, fresh] = by_key_.try_emplace(draft.key(), drafts_.size());
  if (fresh) {
    drafts_.push_back(std::move(draft));
    return;
  }
  Draft& earlier = drafts_[at->second];
  draft.previous = std::move(earlier.previous);
  draft.only_if_unchanged = draft.only_if_unchanged || earlier.only_if_unchanged;
  earlier = std::move(draft);
}

const Draft* ChangeSet::find(const std::string& key) const {
  auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &drafts_[found->second];
}

bool ChangeSet::ok() const {
  return std::ranges::all_of(drafts_, [](const Draft& draft) {
    return draft.findings.ok() && !draft.without_owner;
  });
}

json::Findings ChangeSet::findings() const {
  json::Findings all;
  for (const Draft& draft : drafts_) {
    const auto copy = [&draft](const json::Problems& from, json::Problems& into) {
      for (const auto& problem : from) {
        if (into.size() == json::Findings::problems_max) return;
        into.push_back({draft.path + problem.path, problem.what, problem.sentence});
      }
    };
    copy(draft.findings.problems, all.problems);
    copy(draft.findings.warnings, all.warnings);
    if (!draft.without_owner) continue;
    const auto key = model::owner_key_of(draft.key());
    const auto owner = model::split_key(key);  // looks into the key
    copy({{"", fmt::format("{} [{}] is not there", owner.resource->kind, owner.id), {}}}, all.problems);
  }
  return all;
}

// ---- checking ----

async::Task<Result<>> ChangeSet::check() {
  auto done = co_await remove_what_belongs();
  if (!done) co_return done;
  if (desk_.ask_secrets) co_await ask_for_secrets();
  for (Draft& draft : drafts_) check_alone(draft);
  if (!claim_credentials()) {
    co_return fail(ErrorKind::conflict,
                   "another call is giving away the same credential just now; ask again");
  }
  done = co_await check_references();
  if (!done) co_return done;
  check_credentials();
  done = co_await check_single_plugins();
  if (!done) co_return done;
  if (ok()) std::ranges::for_each(drafts_, [this](Draft& draft) { write_out(draft); });
  co_return done;
}

async::Task<> ChangeSet::ask_for_secrets() {
  std::set<std::string> all;
  for (const Draft& draft : drafts_) {
    if (!draft.body) continue;
    auto own = model::secret_references_in(*draft.resource, *draft.body);
    all.insert(std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
  }
  if (all.empty()) co_return;
  std::vector<std::string> references(all.begin(), all.end());
  co_await desk_.ask_secrets(std::move(references));
}

// What belongs to a resource goes with it.
async::Task<Result<>> ChangeSet::remove_what_belongs() {
  const std::size_t count = drafts_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Resource* child = model::child_of(*drafts_[i].resource);
    if (drafts_[i].body || !child) continue;
    const auto prefix = fmt::format("{}/{}/", drafts_[i].key(), child->path);
    auto entries = co_await store::list_all(desk_.store, prefix);
    if (!entries) co_return std::unexpected(entries.error());
    for (auto& entry : *entries) {
      if (find(entry.key)) continue;
      const std::string id(model::split_key(entry.key).id);
      add({.resource = child, .id = id, .previous = std::move(entry), .path = drafts_[i].path});
    }
  }
  co_return Result<>();
}

void ChangeSet::check_alone(Draft& draft) const {
  if (!draft.body) return;
  const auto time =
      draft.keeps_times || !draft.resource->times ? std::string() : forbidden_time(*draft.body);
  if (!time.empty()) {
    auto pointer = "/" + time;
    std::ranges::replace(pointer, '.', '/');
    draft.findings.problems.push_back(
        {pointer, "is kept by the gateway: leave it out", "the property is forbidden:  " + time});
  }
  if (draft.resource->path == "stream_routes" && !desk_.stream_routes) {
    draft.findings.problems.push_back({"", "stream mode is disabled in config.yaml (apisix.proxy_mode)",
                                       "stream mode is disabled, can not add stream routes"});
  }
  desk_.validator.check(*draft.resource, draft.id, *draft.body, draft.findings);
}

bool ChangeSet::claim_credentials() {
  std::vector<std::string> all;
  for (const Draft& draft : drafts_) {
    if (!draft.body) continue;
    auto own = desk_.validator.credentials_in(*draft.resource, *draft.body);
    std::ranges::move(own, std::back_inserter(all));
  }
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return claim_.take(std::move(all));
}

ChangeSet::Target ChangeSet::target_of(std::string_view key, const Value* body) {
  if (!body) return {};
  const bool is_ssl = model::split_key(key).resource == model::find_resource("ssls");
  return {.exists = true, .is_client_pair = is_ssl && body->text("type") == "client"};
}

async::Task<Result<ChangeSet::Target>> ChangeSet::look_up(std::string key) {
  if (const Draft* draft = find(key)) co_return target_of(key, draft->body ? &*draft->body : nullptr);
  if (auto known = looked_up_.find(key); known != looked_up_.end()) co_return known->second;
  auto found = co_await desk_.store.get(key);
  if (!found) co_return std::unexpected(found.error());
  auto body = *found ? json::parse((*found)->value) : Result<Value>(Value());
  if (!body) body = Value();
  const Target target = target_of(key, *found ? &*body : nullptr);
  looked_up_[key] = target;
  co_return target;
}

async::Task<Result<>> ChangeSet::check_references() {
  for (Draft& draft : drafts_) {
    if (!draft.body) continue;
    for (std::size_t i = 0; i < draft.findings.references.size(); ++i) {
      const auto reference = draft.findings.references[i];
      const Resource* target = model::find_resource(reference.resource);
      if (!target) continue;
      auto key = model::key_of(*target, reference.id);
      auto standing = co_await look_up(std::move(key));
      if (!standing) co_return std::unexpected(standing.error());
      if (!standing->exists) refuse_reference(draft, reference);
      else if (target->path == "ssls" && !standing->is_client_pair) refuse_server_pair(draft, reference);
    }
    auto owner = model::owner_key_of(draft.key());
    if (owner.empty()) continue;
    auto standing = co_await look_up(std::move(owner));
    if (!standing) co_return std::unexpected(standing.error());
    draft.without_owner = !standing->exists;
  }
  co_return Result<>();
}

// Who has a credential: as it will be, once all drafts are stored.
void ChangeSet::check_credentials() {
  std::map<std::string, plugin::Consumer> here;
  for (Draft& draft : drafts_) {
    if (!draft.body || !draft.findings.ok()) continue;
    const auto find_owner = [&](const plugin::PluginType& type,
                                std::string_view credential) -> const plugin::Consumer* {
      plugin::Consumer own;
      const auto user = model::owner_of(*draft.resource, draft.id);
      own.name = user.empty() ? draft.id : std::string(user);
      if (!user.empty()) own.credential_id = draft.id.substr(draft.id.rfind('/') + 1);
      auto [taken, fresh] = here.try_emplace(fmt::format("{}/{}", type.name, credential), std::move(own));
      if (!fresh) return &taken->second;
      const auto& published = desk_.validator.find_owner;
      const plugin::Consumer* owner = published ? published(type, credential) : nullptr;
      if (!owner) return nullptr;
      auto id = owner->name;
      if (!owner->credential_id.empty()) id.append("/credentials/").append(owner->credential_id);
      const bool rewritten = find(model::key_of(*model::find_resource("consumers"), id)) != nullptr;
      return rewritten ? nullptr : owner;
    };
    desk_.validator.check_credentials(*draft.resource, draft.id, *draft.body, draft.findings, find_owner);
  }
}

async::Task<Result<>> ChangeSet::check_single_plugins() {
  std::set<const Resource*> kinds;
  for (const Draft& draft : drafts_) {
    if (draft.body && draft.resource->plugins_once) kinds.insert(draft.resource);
  }
  for (const Resource* kind : kinds) {
    auto checked = co_await check_single_plugins_of(kind);
    if (!checked) co_return checked;
  }
  co_return Result<>();
}

// A plugin stands in one resource of this kind only.
async::Task<Result<>> ChangeSet::check_single_plugins_of(const Resource* kind) {
  std::map<std::string, std::string, std::less<>> holders;  // by plugin
  const auto names = [](const Value& body) {
    std::vector<std::string> all;
    const Value* plugins = body.find("plugins");
    if (!plugins || !plugins->is_object()) return all;
    for (const auto& [name, config] : plugins->as_object()) all.push_back(name);
    return all;
  };
  const auto prefix = model::key_of(*kind, "");
  auto entries = co_await store::list_all(desk_.store, prefix);
  if (!entries) co_return std::unexpected(entries.error());
  for (const auto& entry : *entries) {
    auto body = find(entry.key) ? Result<Value>(Value()) : json::parse(entry.value);
    if (!body) continue;
    for (auto& name : names(*body)) holders.emplace(std::move(name), model::split_key(entry.key).id);
  }
  for (Draft& draft : drafts_) {
    if (!draft.body || draft.resource != kind || !draft.findings.ok()) continue;
    for (const auto& name : names(*draft.body)) {
      const auto [holder, fresh] = holders.try_emplace(name, draft.id);
      if (fresh) continue;
      const auto what =
          fmt::format("plugin '{}' already exists in {} with id '{}'", name, kind->kind, holder->second);
      draft.findings.problems.push_back({"/plugins", what, what});
      break;
    }
  }
  co_return Result<>();
}

void ChangeSet::refuse_reference(Draft& draft, const json::Reference& reference) {
  const Resource& target = *model::find_resource(reference.resource);
  draft.findings.problems.push_back({reference.path,
                                     fmt::format("there is no {} {}", target.kind, reference.id),
                                     missing_reference(target, reference.id)});
}

void ChangeSet::write_out(Draft& draft) const {
  if (!draft.body || !draft.text.empty()) return;
  Value& body = *draft.body;
  if (draft.resource->times) {
    const auto now = desk_.clock.wall() / 1'000'000'000;
    if (!body.find("create_time")) {
      auto old = draft.previous ? json::parse(draft.previous->value) : Result<Value>(Value());
      const Value* created = old ? old->find("create_time") : nullptr;
      body.set("create_time", created ? *created : Value(now));
    }
    if (draft.sets_update_time || !body.find("update_time")) body.set("update_time", now);
  }
  draft.text = json::dump(body);
}

// ---- storing ----

void ChangeSet::require(Reason reason, store::Condition condition, store::Transaction& transaction) {
  auto name = fmt::format("{} {}", static_cast<int>(condition.kind), condition.key);
  if (given_up_.contains(name) || !required_.insert(name).second) return;
  reasons_.emplace_back(reason, std::move(name));
  transaction.conditions.push_back(std::move(condition));
}

void ChangeSet::add_conditions(std::size_t index, store::Transaction& transaction) {
  using Why = Reason::Kind;
  const Draft& draft = drafts_[index];
  const auto key = draft.key();
  if (draft.only_if_unchanged) {
    const auto modified = draft.previous ? draft.previous->modified : 0;
    require({Why::unchanged, index}, {Kind::unchanged, key, modified}, transaction);
  }
  if (is_guarded(draft)) require({Why::referrers, index}, {Kind::unreferenced, key}, transaction);
  if (!draft.body) return;
  const auto& references = draft.findings.references;
  for (std::size_t i = 0; i < references.size(); ++i) {
    const Resource* target = model::find_resource(references[i].resource);
    if (!target) continue;
    auto wanted = model::key_of(*target, references[i].id);
    if (!find(wanted))
      require({Why::reference, index, i}, {Kind::exists, std::move(wanted)}, transaction);
  }
  auto owner = model::owner_key_of(key);
  if (!owner.empty() && !find(owner)) require({Why::owner, index}, {Kind::exists, owner}, transaction);
}

store::Transaction ChangeSet::transaction(const Order& order) {
  store::Transaction made;
  made.author = order.author;
  made.note = order.note;
  made.try_only = order.try_only;
  reasons_.clear();
  required_.clear();
  if (order.if_revision)
    require({Reason::Kind::revision}, {Kind::store_unchanged, {}, *order.if_revision}, made);
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    const Draft& draft = drafts_[i];
    add_conditions(i, made);
    auto& write = made.writes.emplace_back();
    write.key = draft.key();
    if (!draft.body) continue;
    write.value = draft.text;
    write.ttl = draft.ttl;
    for (const auto& reference : draft.findings.references) {
      if (const Resource* target = model::find_resource(reference.resource))
        write.references.push_back(model::key_of(*target, reference.id));
    }
    if (auto owner = model::owner_key_of(write.key); !owner.empty())
      write.references.push_back(std::move(owner));
  }
  return made;
}

// After a refusal the rest is tried without storing, so that every problem is found.
async::Task<Result<ChangeSet::Outcome>> ChangeSet::commit(Order order) {
  Outcome outcome = Outcome::done;
  for (;;) {
    auto next = transaction(order);
    auto done = co_await desk_.store.transact(std::move(next));
    if (!done) co_return std::unexpected(done.error());
    committed_ = std::move(*done);
    if (committed_.done) co_return outcome;
    outcome = refuse(committed_.failed);
    if (outcome != Outcome::refused) co_return outcome;
    order.try_only = true;
  }
}

ChangeSet::Outcome ChangeSet::refuse(std::size_t condition) {
  const auto& [reason, name] = reasons_[condition];
  Draft& draft = drafts_[reason.draft];
  given_up_.insert(name);
  switch (reason.kind) {
    case Reason::Kind::revision:
      return Outcome::moved;
    case Reason::Kind::unchanged:
      return Outcome::stale;
    case Reason::Kind::reference:
      refuse_reference(draft, draft.findings.references[reason.reference]);
      return Outcome::refused;
    case Reason::Kind::owner:
      draft.without_owner = true;
      return Outcome::refused;
    case Reason::Kind::referrers:
      break;
  }
  const auto user = model::split_key(committed_.by);
  if (user.resource && user.resource->under == draft.resource->path) return Outcome::stale;
  const auto kind = user.resource ? user.resource->kind : std::string_view("another resource");
  const auto what =
      fmt::format("{}, {} [{}] is still using it now", draft.resource->still_used, kind, user.id);
  draft.findings.problems.push_back({"", what, what});
  return Outcome::refused;
}

}  // namespace sluice::admin
