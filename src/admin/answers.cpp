// SPDX-License-Identifier: Apache-2.0
#include "admin/answers.h"

#include <fmt/core.h>

#include "admin/revision_text.h"
#include "json/text.h"

namespace sluice::admin {

ChangeSet::Order order_of(const Call& call) { return {.author = call.author, .try_only = is_trial(call)}; }

http::Reply store_failed(const Error& error) { return error_reply(503, error.what); }

http::Reply refused_reply(const ChangeSet& changes) {
  for (const Draft& draft : changes.drafts()) {
    if (!draft.findings.ok() || !draft.without_owner) continue;
    const auto key = model::owner_key_of(draft.key());
    const auto owner = model::split_key(key);
    return error_reply(404, fmt::format("{} not found", owner.resource->kind));
  }
  return problems_reply(changes.findings());
}

json::Value describe_drafts(const ChangeSet& changes, Detail detail) {
  json::Array list;
  for (const Draft& draft : changes.drafts()) {
    const bool existed = draft.previous.has_value(), exists = draft.body.has_value();
    if (!existed && !exists) continue;
    if (existed && exists && draft.previous->value == draft.text) continue;
    if (detail == Detail::names) {
      list.push_back(json::Value::object(
          {{"resource", resource_name(draft.key())}, {"action", action_of(existed, exists)}}));
      continue;
    }
    const auto before = existed ? std::optional(draft.previous->value) : std::nullopt;
    const auto after = exists ? std::optional(draft.text) : std::nullopt;
    list.push_back(describe_change(draft.key(), before, after));
  }
  return list;
}

std::string trial_members(const Call& call, const ChangeSet& changes) {
  if (!is_trial(call)) return {};
  return R"(,"dry_run":true,"changes":)" + json::dump(describe_drafts(changes, Detail::values));
}

async::Task<http::Reply> answer_written(plugin::Status& status, Call call, http::Reply reply,
                                        store::Revision revision) {
  reply.headers.emplace_back("X-Sluice-Revision", std::to_string(revision));
  if (!call.arguments.is("wait", "applied") || is_trial(call)) co_return reply;
  auto applied = co_await status.applied(revision);
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
