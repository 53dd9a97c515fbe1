// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include "base/text.h"
#include "cli/session.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

using json::Value;
constexpr std::string_view operations = "/operations/";

Value operation_of(const Change& change) {
  Value operation = Value::object({{"op", change.after != nullptr ? "put" : "delete"},
                                   {"resource", change.item().name()}});
  if (change.after != nullptr) operation.set("value", with_name(*change.after));
  return operation;
}

// "/operations/3/value/uri": of which change, and where in its resource.
std::string place_of(const Plan& plan, std::string_view path) {
  if (path == "/if_revision") return "somebody else has changed the configuration just now, try again:";
  if (!path.starts_with(operations)) return std::string(path);
  const std::string_view rest = path.substr(operations.size());
  const auto number = parse_unsigned(rest.substr(0, rest.find('/')));
  if (!number || *number >= plan.changes.size()) return std::string(path);
  const Item& item = plan.changes[*number].item();
  std::string_view within = rest.find('/') == rest.npos ? std::string_view() : rest.substr(rest.find('/'));
  if (within.starts_with("/value")) within.remove_prefix(6);
  std::string place = item.name();
  if (!item.origin.empty()) place += fmt::format(" ({})", item.origin);
  return within.empty() ? place : fmt::format("{} {}", place, within);
}

}  // namespace

Result<std::optional<std::int64_t>> stored_revision(AdminClient& client) {
  auto status = client.must("GET", "/status");
  if (!status) return std::unexpected(status.error());
  const Value* revision = status->find("stored_revision");
  if (revision == nullptr || !revision->is_integer()) return std::nullopt;
  return revision->as_int();
}

Result<Value> transact(AdminClient& client, const Plan& plan, Trial trial,
                       std::optional<std::int64_t> if_revision) {
  Value list = Value::array();
  for (const Change& change : plan.changes) list.push_back(operation_of(change));
  Value transaction = Value::object({{"operations", std::move(list)}});
  if (if_revision) transaction.set("if_revision", *if_revision);
  const std::string body = json::dump(transaction);
  auto answer = client.ask(
      "POST", std::string("/transactions?") + (trial == Trial::yes ? "dry_run=true" : "wait=applied"), body);
  if (!answer) return std::unexpected(answer.error());
  if (answer->good()) return std::move(answer->body);
  if (Value* problems = answer->body.find("problems"); problems != nullptr && problems->is_array()) {
    for (Value& problem : problems->as_array()) {
      std::string place = place_of(plan, problem.text("path"));
      problem.set("path", std::move(place));
    }
  }
  if (answer->where.starts_with(operations)) {
    const auto blank = answer->where.find(' ');
    const std::string what = blank == std::string::npos ? "" : answer->where.substr(blank);
    answer->where = place_of(plan, answer->where.substr(0, blank)) + what;
  }
  return fail(ErrorKind::conflict, "nothing was changed: " + refusal_text(*answer));
}

}  // namespace sluice::cli
