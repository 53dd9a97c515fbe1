// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "base/text.h"
#include "cli/session.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

using json::Value;
constexpr std::size_t changes_shown = 3;  // of a revision, in a list

std::string number_text(const Value* value) {
  return value != nullptr && value->is_integer() ? std::to_string(value->as_int()) : std::string();
}

const json::Array& items_of(const Value& value, std::string_view member) {
  static const json::Array none;
  const Value* items = value.find(member);
  return items != nullptr && items->is_array() ? items->as_array() : none;
}

// "2026-11-25T09:12:33.123Z" as a person reads it, to the second.
std::string time_text(std::string_view time) {
  std::string text(time.substr(0, 19));
  if (text.size() == 19 && text[10] == 'T') text[10] = ' ';
  return text;
}

std::string changes_text(const Value& revision) {
  const auto& changes = items_of(revision, "changes");
  std::string text;
  for (std::size_t i = 0; i < std::min(changes.size(), changes_shown); ++i)
    text +=
        fmt::format("{}{} {}", i == 0 ? "" : ", ", changes[i].text("action"), changes[i].text("resource"));
  const Value* told = revision.find("changes_total");
  const auto total = told != nullptr && told->is_integer() ? static_cast<std::size_t>(told->as_int())
                                                           : changes.size();
  if (total > changes_shown) text += fmt::format(", {} more", total - changes_shown);
  return text;
}

std::string author_text(const Value& revision) {
  std::string text(revision.text("author"));
  if (const auto address = revision.text("address"); !address.empty()) text.append(" ").append(address);
  return text;
}

Action action_of(std::string_view name) {
  if (name == "create") return Action::create;
  return name == "delete" ? Action::remove : Action::update;
}

void show_changes(Session& session, const Value& answer) {
  for (const Value& change : items_of(answer, "changes"))
    show_change(session.out, action_of(change.text("action")), change.text("resource"), change.find("before"),
                change.find("after"));
}

// The revision that was typed; nothing when it is none.
std::optional<std::uint64_t> revision_of(const Command& command) { return parse_unsigned(command.argument); }

Exit no_revision(Session& session) {
  return session.usage(
      fmt::format("'{}' is no revision: `sluice history` lists them", session.command.argument));
}

}  // namespace

Outcome list_history(Session& session) {
  const Command& command = session.command;
  const auto limit = command.limit.empty() ? 20 : parse_unsigned(command.limit).value_or(0);
  if (limit < 1 || limit > 1000) return session.usage("--limit is a number from 1 to 1000");
  std::string target = fmt::format("/history?limit={}", limit);
  if (!command.resource.empty()) target += "&resource=" + encoded(command.resource);
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto answer = (*client)->must("GET", std::move(target));
  if (!answer) return std::unexpected(answer.error());
  if (command.json) {
    session.print_json(*answer);
    return Exit::done;
  }
  Table table({"REV", "TIME (UTC)", "WHO", "WHAT", "NOTE"});
  for (const Value& revision : items_of(*answer, "list"))
    table.add({number_text(revision.find("revision")), time_text(revision.text("time")),
               author_text(revision), changes_text(revision), std::string(revision.text("note"))});
  if (table.empty()) session.say("nothing was changed yet");
  else session.out.raw(table.text(session.out.look()));
  return Exit::done;
}

Outcome show_revision(Session& session) {
  const auto revision = revision_of(session.command);
  if (!revision) return no_revision(session);
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto answer = (*client)->must("GET", fmt::format("/history/{}", *revision));
  if (!answer) return std::unexpected(answer.error());
  if (session.command.json) {
    session.print_json(*answer);
    return Exit::done;
  }
  session.out.line(fmt::format("revision {}, {}, by {}", *revision, time_text(answer->text("time")),
                               author_text(*answer)),
                   Colour::bold);
  if (const auto note = answer->text("note"); !note.empty()) session.out.line(note);
  show_changes(session, *answer);
  return Exit::done;
}

Outcome roll_back(Session& session) {
  const Command& command = session.command;
  const auto revision = revision_of(command);
  if (!revision) return no_revision(session);
  std::string target =
      fmt::format("/history/{}/rollback?{}", *revision, command.dry_run ? "dry_run=true" : "wait=applied");
  if (!command.resource.empty()) target += "&resource=" + encoded(command.resource);
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto answer = (*client)->must("POST", std::move(target));
  if (!answer) return std::unexpected(answer.error());
  if (command.json) {
    session.print_json(*answer);
    return Exit::done;
  }
  show_changes(session, *answer);
  const auto count = items_of(*answer, "changes").size();
  if (count == 0) session.out.line(fmt::format("all is as it was at revision {}", *revision));
  else if (command.dry_run)
    session.out.line(fmt::format("{} would change (nothing was changed)", counted(count, "resource")));
  else session.out.line(fmt::format("back at revision {}, as revision {}", *revision,
                                    number_text(answer->find("revision"))));
  return Exit::done;
}

Outcome change_key(Session& session) {
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto answer = (*client)->must("POST", "/data_key");
  if (!answer) return std::unexpected(answer.error());
  if (session.command.json) session.print_json(*answer);
  else
    session.out.line("all secrets are sealed with a new key; an older backup needs the data.key of its time");
  return Exit::done;
}

}  // namespace sluice::cli
