// SPDX-License-Identifier: Apache-2.0
#include "admin/transactions.h"

#include <fmt/core.h>

#include "admin/answers.h"
#include "admin/revision_text.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Value;
using Outcome = ChangeSet::Outcome;

constexpr int tries_max = 10;

// Every problem is listed, a single one too: its path says which operation it is of.
http::Reply problem_list(int status, const json::Findings& findings) {
  return json_reply(status, Value::object({{"error_msg", findings.sentence()},
                                           {"problems", json::to_value(findings.problems)}}));
}

http::Reply others_write() {
  return error_reply(503, "others write too often for this to be made of one state of the store; try again");
}

void add(json::Findings& all, json::Findings more) {
  std::ranges::move(more.problems, std::back_inserter(all.problems));
  std::ranges::move(more.warnings, std::back_inserter(all.warnings));
}

http::Reply done_reply(const Call& call, const ChangeSet& changes) {
  auto body = Value::object();
  if (!is_trial(call)) body.set("revision", changes.committed().revision);
  else body.set("dry_run", true);
  body.set("changes", describe_drafts(changes, is_trial(call) ? Detail::values : Detail::names));
  const auto warnings = changes.findings().warnings;
  if (!warnings.empty()) body.set("warnings", json::to_value(warnings));
  return json_reply(200, body);
}

}  // namespace

async::Task<http::Reply> Transactions::run(Call call) {
  if (call.method != http::Method::post || call.segments.size() != 1) co_return error_reply(404, "not found");
  Value body;
  if (auto refusal = parse_body(call, body)) co_return std::move(*refusal);
  call.body.clear();
  json::Findings findings;
  const Operations operations = read_operations(body, operations_max, findings);
  if (!findings.ok()) co_return problem_list(400, findings);
  for (int i = 0; i < tries_max; ++i) {
    auto reply = co_await attempt(call, &operations);
    if (reply) co_return std::move(*reply);
  }
  co_return others_write();
}

async::Task<std::optional<http::Reply>> Transactions::attempt(Call call, const Operations* operations) {
  ChangeSet changes(desk_);
  json::Findings findings;
  bool unchanged = true;
  for (const Operation& operation : operations->list) {
    std::optional<store::Entry> stored;
    auto key = operation.place.key();
    if (const Draft* earlier = changes.find(key)) {
      stored = earlier->previous;
    } else {
      auto found = co_await desk_.store.get(std::move(key));
      if (!found) co_return store_failed(found.error());
      stored = std::move(*found);
    }
    unchanged = add_draft(operation, std::move(stored), changes, findings) && unchanged;
  }
  auto checked = co_await changes.check();
  if (!checked) co_return store_failed(checked.error());
  add(findings, changes.findings());
  if (!findings.ok()) co_return problem_list(unchanged ? 400 : 409, findings);
  auto order = order_of(call);
  order.note = fmt::format("transaction of {} operations", operations->list.size());
  order.if_revision = operations->if_revision;
  auto reply = co_await commit(std::move(call), &changes, std::move(order), Moved::refuse);
  co_return reply;
}

async::Task<std::optional<http::Reply>> Transactions::commit(Call call, ChangeSet* changes,
                                                             ChangeSet::Order order, Moved moved) {
  const auto if_revision = order.if_revision;
  auto outcome = co_await changes->commit(std::move(order));
  if (!outcome) co_return store_failed(outcome.error());
  switch (*outcome) {
    case Outcome::stale:
      co_return std::nullopt;
    case Outcome::refused:
      co_return problem_list(400, changes->findings());
    case Outcome::moved: {
      if (moved == Moved::again) co_return std::nullopt;
      json::Findings findings;
      findings.problems.push_back({"/if_revision",
                                   fmt::format("the store has been written to since revision {}: it is at {}",
                                               *if_revision, changes->committed().revision),
                                   {}});
      co_return problem_list(409, findings);
    }
    case Outcome::done:
      break;
  }
  auto reply = done_reply(call, *changes);
  const auto revision = changes->committed().revision;
  auto answered = co_await answer_written(status_, std::move(call), std::move(reply), revision);
  co_return answered;
}

// ---- going back ----

async::Task<http::Reply> Transactions::roll_back(Call call) {
  Target target;
  const auto revision = parse_revision(call.segments[1]);
  if (!revision) co_return error_reply(404, fmt::format("'{}' is no revision", call.segments[1]));
  target.revision = *revision;
  if (auto refusal = read_resource_name(call, target.name)) co_return std::move(*refusal);
  for (int i = 0; i < tries_max; ++i) {
    auto reply = co_await attempt_rollback(call, target);
    if (reply) co_return std::move(*reply);
  }
  co_return others_write();
}

void Transactions::add_draft_back(ChangeSet& changes, const std::string& key, Changes::Change change,
                                  Draft draft) {
  const auto parts = model::split_key(key);
  if (!parts.resource) return;  // none of the Admin API's
  draft.resource = parts.resource;
  draft.id = parts.id;
  draft.path = "/" + std::string(resource_name(key));
  draft.keeps_times = true;
  if (change.after) draft.previous = store::Entry{key, std::move(*change.after), 0, change.revision};
  if (change.before) {
    auto body = json::parse(*change.before);
    draft.body = body ? std::move(*body) : Value();
    draft.text = std::move(*change.before);
  }
  changes.add(std::move(draft));
}

async::Task<std::optional<http::Reply>> Transactions::attempt_rollback(Call call, Target target) {
  auto current = co_await desk_.store.revision();
  if (!current) co_return history_error(current.error());
  auto found = co_await history_.changes(target.revision, *current, target.name);
  if (!found) co_return history_error(found.error());
  const bool whole = target.name.empty();
  ChangeSet changes(desk_);
  for (auto& [key, change] : found->take()) {
    add_draft_back(changes, key, std::move(change),
                   {.only_if_unchanged = !whole, .forced = call.arguments.is("force", "true")});
  }
  auto checked = co_await changes.check();
  if (!checked) co_return store_failed(checked.error());
  if (!changes.ok()) co_return problem_list(400, changes.findings());
  auto order = order_of(call);
  order.note = whole ? fmt::format("rollback to revision {}", target.revision)
                     : fmt::format("rollback of {} to revision {}", target.name, target.revision);
  if (whole) order.if_revision = *current;
  auto reply = co_await commit(std::move(call), &changes, std::move(order), Moved::again);
  co_return reply;
}

}  // namespace sluice::admin
