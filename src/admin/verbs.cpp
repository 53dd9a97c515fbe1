// SPDX-License-Identifier: Apache-2.0
#include "admin/verbs.h"

#include <fmt/core.h>

#include "admin/answers.h"
#include "admin/drafting.h"
#include "admin/listing.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Value;
using model::Resource;

constexpr int tries_max = 10;

http::Reply key_not_found() { return json_text_reply(404, R"({"message":"Key not found"})"); }

http::Reply unsupported(const Call& call, const Resource& resource) {
  return error_reply(405, fmt::format("not supported `{}` method for {}", call.method_name, resource.kind));
}

// {"key": …, "value": …[, "warnings": …]} or {"deleted": "1", "key": …}
http::Reply written_reply(const Call& call, const ChangeSet& changes) {
  const Draft& draft = changes.drafts().front();
  std::string text = draft.body ? R"({"key":)" : R"({"deleted":"1","key":)";
  json::append_quoted(text, draft.key());
  if (draft.body) text.append(R"(,"value":)").append(shown(draft.resource, draft.text, Hidden::masked));
  const auto& warnings = draft.findings.warnings;
  if (!warnings.empty()) text.append(R"(,"warnings":)").append(json::dump(json::to_value(warnings)));
  text.append(trial_members(call, changes));
  return json_text_reply(draft.body && !draft.previous ? 201 : 200, text + "}");
}

}  // namespace

async::Task<http::Reply> Verbs::run(Call call) {
  const Resource& resource = *call.place.resource;
  switch (call.method) {
    case http::Method::get:
      return call.place.id.empty() ? list_resources(desk_.store, std::move(call)) : get(std::move(call));
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
  auto found = co_await desk_.store.get(std::move(key));
  if (!found) co_return store_failed(found.error());
  if (!*found) co_return key_not_found();
  std::string text;
  append_entry(text, **found);
  co_return json_text_reply(200, std::move(text));
}

async::Task<http::Reply> Verbs::put(Call call) {
  if (call.body.empty()) co_return error_reply(400, "missing configurations");
  Value body;
  if (auto refusal = parse_body(call, body)) co_return std::move(*refusal);
  Draft draft;
  if (auto refusal = draft_put(call.place, std::move(body), draft)) co_return error_reply(400, *refusal);
  auto key = draft.key();
  auto previous = co_await desk_.store.get(std::move(key));
  if (!previous) co_return store_failed(previous.error());
  draft.previous = std::move(*previous);
  auto reply = co_await save(std::move(call), std::move(draft));
  co_return std::move(*reply);
}

async::Task<http::Reply> Verbs::post(Call call) {
  const Resource& resource = *call.place.resource;
  if (call.body.empty()) co_return error_reply(400, "missing configurations");
  Value body;
  if (auto refusal = parse_body(call, body)) co_return std::move(*refusal);
  if (!call.place.id.empty() || body.find("id")) {
    co_return error_reply(400, fmt::format("wrong {} id, do not need it", resource.kind));
  }
  auto number = co_await desk_.store.next_id();
  if (!number) co_return store_failed(number.error());
  Draft draft{.resource = &resource, .id = fmt::format("{:020}", *number)};
  if (body.is_object()) body.set("id", draft.id);
  draft.body = std::move(body);
  auto reply = co_await save(std::move(call), std::move(draft));
  co_return std::move(*reply);
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
  for (int attempt = 0; attempt < tries_max; ++attempt) {
    auto key = call.place.key();
    auto found = co_await desk_.store.get(std::move(key));
    if (!found) co_return store_failed(found.error());
    if (!*found) co_return key_not_found();
    Draft draft{.previous = std::move(*found)};
    if (auto refusal = draft_patch(call.place, change, draft)) co_return error_reply(400, *refusal);
    auto reply = co_await save(call, std::move(draft));
    if (reply) co_return std::move(*reply);
  }
  co_return error_reply(503, "value changed before overwritten");
}

async::Task<http::Reply> Verbs::remove(Call call) {
  const Resource& resource = *call.place.resource;
  if (call.place.id.empty()) co_return error_reply(400, fmt::format("missing {} id", resource.kind));
  for (int attempt = 0; attempt < tries_max; ++attempt) {
    auto key = call.place.key();
    auto found = co_await desk_.store.get(std::move(key));
    if (!found) co_return store_failed(found.error());
    if (!*found) co_return key_not_found();
    Draft draft{.resource = &resource, .id = call.place.above + call.place.id};
    draft.previous = std::move(*found);
    draft.forced = call.arguments.is("force", "true");
    auto reply = co_await save(call, std::move(draft));
    if (reply) co_return std::move(*reply);
  }
  co_return error_reply(503, "what belongs to it changes all the time; try again");
}

async::Task<std::optional<http::Reply>> Verbs::save(Call call, Draft draft) {
  ChangeSet changes(desk_);
  draft.ttl = call.ttl;
  changes.add(std::move(draft));
  auto checked = co_await changes.check();
  if (!checked) co_return store_failed(checked.error());
  if (!changes.ok()) co_return refused_reply(changes);
  auto order = order_of(call);
  auto outcome = co_await changes.commit(std::move(order));
  if (!outcome) co_return store_failed(outcome.error());
  if (*outcome == ChangeSet::Outcome::stale) co_return std::nullopt;
  if (*outcome == ChangeSet::Outcome::refused) co_return refused_reply(changes);
  const auto& done = changes.committed();
  if (!changes.drafts().front().body && !done.written.empty() && !done.written.front().existed)
    co_return key_not_found();
  auto reply = written_reply(call, changes);
  auto answered = co_await answer_written(status_, std::move(call), std::move(reply), done.revision);
  co_return answered;
}

}  // namespace sluice::admin
