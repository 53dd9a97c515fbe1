// SPDX-License-Identifier: Apache-2.0
#include "admin/verbs.h"

#include <fmt/core.h>

#include <algorithm>

#include "admin/listing.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Findings;
using json::Value;
using model::Resource;
using Kind = store::Condition::Kind;

http::Reply store_failed(const Error& error) { return error_reply(503, error.what); }

// A member that names the resource, as text; empty when there is none.
std::string named_in(const Value& body, std::string_view member) {
  const Value* value = body.find(member);
  if (!value) return {};
  if (value->is_string()) return value->as_string();
  return json::dump(*value);
}

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

bool is_client_pair(const std::string& ssl) {
  const auto value = json::parse(ssl);
  return value && value->text("type") == "client";
}

http::Reply key_not_found() { return json_text_reply(404, R"({"message":"Key not found"})"); }

http::Reply owner_not_found(std::string_view key) {
  return error_reply(404, fmt::format("{} not found", model::split_key(key).resource->kind));
}

http::Reply unsupported(const Call& call, const Resource& resource) {
  return error_reply(405, fmt::format("not supported `{}` method for {}", call.method_name, resource.kind));
}

http::Reply written_reply(int status, const std::string& key, const std::string& value,
                          const Findings& findings) {
  std::string text = R"({"key":)";
  json::append_quoted(text, key);
  text.append(R"(,"value":)").append(value);
  if (!findings.warnings.empty())
    text.append(R"(,"warnings":)").append(json::dump(json::to_value(findings.warnings)));
  return json_text_reply(status, text + "}");
}

std::vector<std::string> reference_keys(const Findings& findings) {
  std::vector<std::string> keys;
  for (const auto& reference : findings.references) {
    const Resource* target = model::find_resource(reference.resource);
    if (target) keys.push_back(model::key_of(*target, reference.id));
  }
  return keys;
}

}  // namespace

async::Task<http::Reply> Verbs::run(Call call) {
  const Resource& resource = *call.place.resource;
  switch (call.method) {
    case http::Method::get:
      return call.place.id.empty() ? list_resources(store_, std::move(call)) : get(std::move(call));
    case http::Method::put:
      return put(std::move(call));
    case http::Method::post:
      return resource.post ? post(std::move(call)) : unsupported(call, resource);
    case http::Method::patch:
      return resource.patch ? patch(std::move(call)) : unsupported(call, resource);
    case http::Method::del:
      return remove(std::move(call));
    default:
      return error_reply(404, "not found");
  }
}

async::Task<http::Reply> Verbs::get(Call call) {
  auto key = call.place.key();
  auto found = co_await store_.get(std::move(key));
  if (!found) co_return store_failed(found.error());
  if (!*found) co_return key_not_found();
  std::string text;
  append_entry(text, **found);
  co_return json_text_reply(200, std::move(text));
}

std::optional<http::Reply> Verbs::identify(const Call& call, Value& body, std::string& id) const {
  const Resource& resource = *call.place.resource;
  const auto& in_path = call.place.id;
  if (resource.key != "id") {
    id = named_in(body, resource.key);
    if (!in_path.empty() && !id.empty() && in_path != id)
      return error_reply(400, fmt::format("wrong {}", resource.key));
    return std::nullopt;
  }
  bool by_plugin = resource.plugins == model::PluginUse::metadata;
  auto in_body = by_plugin ? std::string() : named_in(body, "id");
  const auto own = in_path.empty() ? in_body : in_path;
  if (own.empty())
    return error_reply(400, by_plugin ? "missing plugin name" : fmt::format("missing {} id", resource.kind));
  if (!in_body.empty() && in_body != own)
    return error_reply(400, fmt::format("wrong {} id", resource.kind));
  if (body.is_object() && (!in_path.empty() || by_plugin)) body.set("id", own);
  id = call.place.above + own;
  return std::nullopt;
}

async::Task<http::Reply> Verbs::put(Call call) {
  Draft draft{*call.place.resource, {}, {}, {}};
  if (call.body.empty()) co_return error_reply(400, "missing configurations");
  if (auto refusal = parse_body(call, draft.body)) co_return std::move(*refusal);
  if (auto refusal = identify(call, draft.body, draft.id)) co_return std::move(*refusal);
  auto key = model::key_of(draft.resource, draft.id);
  auto previous = co_await store_.get(key);
  if (!previous) co_return store_failed(previous.error());
  draft.previous = std::move(*previous);
  auto reply = co_await save(std::move(call), std::move(draft));
  co_return std::move(*reply);
}

async::Task<http::Reply> Verbs::post(Call call) {
  Draft draft{*call.place.resource, {}, {}, {}};
  if (call.body.empty()) co_return error_reply(400, "missing configurations");
  if (auto refusal = parse_body(call, draft.body)) co_return std::move(*refusal);
  if (!call.place.id.empty() || draft.body.find("id")) {
    co_return error_reply(400, fmt::format("wrong {} id, do not need it", draft.resource.kind));
  }
  auto number = co_await store_.next_id();
  if (!number) co_return store_failed(number.error());
  draft.id = fmt::format("{:020}", *number);
  if (draft.body.is_object()) draft.body.set("id", draft.id);
  auto reply = co_await save(std::move(call), std::move(draft));
  co_return std::move(*reply);
}

std::optional<http::Reply> Verbs::apply_patch(const Call& call, Value& body, const Value& change) const {
  const auto& sub_path = call.place.sub_path;
  if (sub_path.empty()) {
    if (!change.is_object()) return error_reply(400, "invalid configuration");
    json::merge_patch(body, change);
    return std::nullopt;
  }
  auto patched = json::patch_path(body, sub_path, change);
  if (!patched) return error_reply(400, patched.error().what);
  return std::nullopt;
}

async::Task<http::Reply> Verbs::patch(Call call) {
  const Resource& resource = *call.place.resource;
  if (call.place.id.empty()) {
    const std::string_view what = resource.id_parts > 1 ? "no" : "missing";
    co_return error_reply(400, fmt::format("{} {} id", what, resource.kind));
  }
  if (call.body.empty()) co_return error_reply(400, "missing new configuration");
  Value change;
  if (auto refusal = parse_body(call, change)) co_return std::move(*refusal);
  auto key = call.place.key();
  constexpr int tries_max = 10;
  for (int attempt = 0; attempt < tries_max; ++attempt) {
    auto found = co_await store_.get(key);
    if (!found) co_return store_failed(found.error());
    if (!*found) co_return key_not_found();
    auto old = json::parse((*found)->value);
    if (!old) co_return error_reply(503, fmt::format("{} is stored damaged: {}", key, old.error().what));
    Draft draft{resource, call.place.id, std::move(*old), std::move(*found), true, true};
    draft.sets_update_time = !call.place.sub_path.empty() || !change.find("update_time");
    if (auto refusal = apply_patch(call, draft.body, change)) co_return std::move(*refusal);
    if (named_in(draft.body, resource.key) != draft.id) {
      co_return error_reply(400, fmt::format("wrong {} id", resource.kind));
    }
    if (resource.key == "id") draft.body.set("id", draft.id);
    auto reply = co_await save(call, std::move(draft));
    if (reply) co_return std::move(*reply);
  }
  co_return error_reply(503, "value changed before overwritten");
}

async::Task<Result<std::vector<std::string>>> Verbs::keys_below(std::string prefix) {
  std::vector<std::string> keys;
  std::string after;
  for (bool more = true; more;) {
    auto page = co_await store_.list(prefix, after, 1000);
    if (!page) co_return std::unexpected(page.error());
    more = page->more;
    for (auto& entry : page->entries) keys.push_back(std::move(entry.key));
    if (more) after = keys.back();
  }
  co_return keys;
}

async::Task<http::Reply> Verbs::remove(Call call) {
  const Resource& resource = *call.place.resource;
  if (call.place.id.empty()) co_return error_reply(400, fmt::format("missing {} id", resource.kind));
  const auto key = call.place.key();
  const Resource* child = model::child_of(resource);
  const bool owns = child && !call.arguments.is("dry_run", "true");
  const bool checked = owns || (!resource.still_used.empty() && !call.arguments.is("force", "true"));
  constexpr int tries_max = 10;
  for (int attempt = 0; attempt < tries_max; ++attempt) {
    store::Transaction transaction;
    transaction.author = call.author;
    if (checked) transaction.conditions.push_back({Kind::unreferenced, key});
    if (owns) {
      auto prefix = fmt::format("{}/{}/", key, child->path);
      auto own = co_await keys_below(std::move(prefix));
      if (!own) co_return store_failed(own.error());
      for (auto& belonging : *own) transaction.writes.push_back({std::move(belonging), {}, {}});
    }
    transaction.writes.push_back({key, {}, {}});
    auto reply = co_await commit_removal(call, std::move(transaction));
    if (reply) co_return std::move(*reply);
  }
  co_return error_reply(503, "what belongs to it changes all the time; try again");
}

async::Task<std::optional<http::Reply>> Verbs::commit_removal(Call call, store::Transaction transaction) {
  const Resource& resource = *call.place.resource;
  auto key = call.place.key();
  if (call.arguments.is("dry_run", "true")) {
    auto found = co_await store_.get(key);
    if (!found) co_return store_failed(found.error());
    if (!*found) co_return key_not_found();
    transaction.writes.clear();
    transaction.conditions.push_back({Kind::exists, key});
  }
  bool dry = transaction.writes.empty();
  auto done = co_await store_.transact(std::move(transaction));
  if (!done) co_return store_failed(done.error());
  if (!done->done) {
    auto user = model::split_key(done->by);
    if (user.resource && user.resource->under == resource.path) co_return std::nullopt;
    auto kind = user.resource ? user.resource->kind : std::string_view("another resource");
    co_return error_reply(
        400, fmt::format("{}, {} [{}] is still using it now", resource.still_used, kind, user.id));
  }
  if (!dry && !done->written.back().existed) co_return key_not_found();
  std::string text = R"({"deleted":"1","key":)";
  json::append_quoted(text, key);
  auto reply = json_text_reply(200, text + "}");
  auto answered = co_await answer(std::move(call), std::move(reply), done->revision);
  co_return answered;
}

async::Task<std::optional<http::Reply>> Verbs::save(Call call, Draft draft) {
  Findings findings;
  auto time = draft.keeps_times || !draft.resource.times ? std::string() : forbidden_time(draft.body);
  if (!time.empty()) {
    auto pointer = "/" + time;
    std::ranges::replace(pointer, '.', '/');
    findings.problems.push_back(
        {pointer, "is kept by the gateway: leave it out", "the property is forbidden:  " + time});
  }
  validator_.check(draft.resource, draft.id, draft.body, findings);
  Claims::Guard claim(claims_);
  if (!claim.take(validator_.credentials_in(draft.resource, draft.body)))
    co_return error_reply(503, "another call is giving away the same credential just now; ask again");
  auto checked = co_await check_against_store(&draft.resource, draft.id, draft.body, std::move(findings));
  if (!checked) co_return store_failed(checked.error());
  if (!checked->ok()) co_return problems_reply(*checked);
  auto owner = model::owner_key_of(model::key_of(draft.resource, draft.id));
  auto refusal = co_await check_owner(std::move(owner));
  if (refusal) co_return refusal;
  auto reply = co_await store_draft(std::move(call), std::move(draft), std::move(*checked));
  co_return reply;
}

async::Task<std::optional<http::Reply>> Verbs::store_draft(Call call, Draft draft, Findings findings) {
  set_times(draft);
  auto key = model::key_of(draft.resource, draft.id);
  auto value = json::dump(draft.body);
  int status = draft.previous ? 200 : 201;
  auto reply = written_reply(status, key, value, findings);
  if (call.arguments.is("dry_run", "true")) co_return reply;
  store::Transaction transaction;
  transaction.author = call.author;
  auto references = reference_keys(findings);
  const auto owner = model::owner_key_of(key);
  if (draft.only_if_unchanged)
    transaction.conditions.push_back({Kind::unchanged, key, draft.previous->modified});
  for (const auto& target : references) transaction.conditions.push_back({Kind::exists, target});
  if (!owner.empty()) {
    transaction.conditions.push_back({Kind::exists, owner});
    references.push_back(owner);
  }
  transaction.writes.push_back({key, std::move(value), std::move(references)});
  auto done = co_await store_.transact(std::move(transaction));
  if (!done) co_return store_failed(done.error());
  if (!done->done) {
    if (draft.only_if_unchanged && done->failed == 0) co_return std::nullopt;
    const auto failed = done->failed - (draft.only_if_unchanged ? 1 : 0);
    if (failed >= findings.references.size()) co_return owner_not_found(owner);
    const auto& gone = findings.references[failed];
    co_return error_reply(400, missing_reference(*model::find_resource(gone.resource), gone.id));
  }
  auto answered = co_await answer(std::move(call), std::move(reply), done->revision);
  co_return answered;
}

async::Task<Result<Findings>> Verbs::check_against_store(const Resource* resource, std::string id, Value body,
                                                         Findings findings) {
  for (std::size_t i = 0; i < findings.references.size(); ++i) {
    auto reference = findings.references[i];
    const Resource* target = model::find_resource(reference.resource);
    if (!target) continue;
    auto found = co_await store_.get(model::key_of(*target, reference.id));
    if (!found) co_return std::unexpected(found.error());
    if (*found && target->path == "ssls" && !is_client_pair((*found)->value)) {
      findings.problems.push_back({reference.path, fmt::format("ssl {} is not of type client", reference.id),
                                   fmt::format("failed to fetch ssl info by ssl id [{}], wrong ssl type",
                                               reference.id)});
    }
    if (*found) continue;
    findings.problems.push_back({reference.path, fmt::format("there is no {} {}", target->kind, reference.id),
                                 missing_reference(*target, reference.id)});
  }
  if (findings.ok()) validator_.check_credentials(*resource, id, body, findings);
  if (resource->plugins_once && findings.ok()) {
    auto elsewhere = co_await rule_with_plugin(resource, std::move(id), std::move(body));
    if (!elsewhere) co_return std::unexpected(elsewhere.error());
    if (!elsewhere->empty()) findings.problems.push_back({"/plugins", *elsewhere, *elsewhere});
  }
  co_return findings;
}

async::Task<std::optional<http::Reply>> Verbs::check_owner(std::string key) {
  if (key.empty()) co_return std::nullopt;
  auto found = co_await store_.get(key);
  if (!found) co_return store_failed(found.error());
  if (!*found) co_return owner_not_found(key);
  co_return std::nullopt;
}

// A plugin that another resource of this kind has too, as a sentence; empty when there is none.
async::Task<Result<std::string>> Verbs::rule_with_plugin(const Resource* resource, std::string id,
                                                         Value body) {
  const Value* plugins = body.find("plugins");
  store::Page page;
  do {
    auto after = page.entries.empty() ? std::string() : page.entries.back().key;
    auto next = co_await store_.list(model::key_of(*resource, ""), after, 1000);
    if (!next) co_return std::unexpected(next.error());
    page = std::move(*next);
    for (const auto& entry : page.entries) {
      auto other_id = model::split_key(entry.key).id;
      auto other = json::parse(entry.value);
      const Value* theirs = other ? other->find("plugins") : nullptr;
      if (other_id == id || !theirs || !plugins) continue;
      for (const auto& [name, config] : plugins->as_object()) {
        if (!theirs->find(name)) continue;
        co_return fmt::format("plugin '{}' already exists in {} with id '{}'", name, resource->kind,
                              other_id);
      }
    }
  } while (page.more);
  co_return std::string();
}

void Verbs::set_times(Draft& draft) const {
  if (!draft.resource.times) return;
  auto now = clock_.wall() / 1'000'000'000;
  if (!draft.body.find("create_time")) {
    auto old = draft.previous ? json::parse(draft.previous->value) : Result<Value>(Value());
    const Value* created = old ? old->find("create_time") : nullptr;
    draft.body.set("create_time", created ? *created : Value(now));
  }
  if (draft.sets_update_time || !draft.body.find("update_time")) draft.body.set("update_time", now);
}

async::Task<http::Reply> Verbs::answer(Call call, http::Reply reply, store::Revision revision) {
  reply.headers.emplace_back("X-Sluice-Revision", std::to_string(revision));
  if (!call.arguments.is("wait", "applied") || call.arguments.is("dry_run", "true")) co_return reply;
  auto applied = co_await status_.applied(revision);
  if (applied) {
    const auto micros = std::chrono::duration<double, std::micro>(*applied).count();
    if (*applied > Duration::zero())
      reply.headers.emplace_back("X-Sluice-Apply-Us", fmt::format("{:.1f}", micros));
    co_return reply;
  }
  co_return error_reply(504, fmt::format("stored as revision {}, but not yet applied in all workers: {}",
                                         revision, applied.error().what));
}

}  // namespace sluice::admin
