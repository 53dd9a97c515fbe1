// SPDX-License-Identifier: Apache-2.0
#include "cli/run.h"

#include <algorithm>

#include "cli/session.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

struct Row {
  std::string_view verb;
  Outcome (*run)(Session&);
};
constexpr Row rows[] = {
    {"list", list_resources},     {"get", get_resource},          {"put", put_resource},
    {"delete", delete_resource},  {"dump", dump_configuration},   {"apply", apply_files},
    {"diff", diff_files},         {"history", list_history},      {"history show", show_revision},
    {"rollback", roll_back},      {"lint", lint_configuration},   {"import", import_configuration},
    {"change-key", change_key},    {"completion", print_completion},
};

}  // namespace

Result<AdminClient*> Session::client() {
  if (client_ == nullptr) {
    auto place = surroundings.gateway();
    if (!place) return std::unexpected(place.error());
    auto made = AdminClient::make(std::move(*place));
    if (!made) return std::unexpected(made.error());
    client_ = std::move(*made);
  }
  return client_.get();
}

std::string Session::json_text(const json::Value& value) {
  return json::dump(value, json::Style::pretty) + "\n";
}

int run(const Command& command, const Surroundings& surroundings) {
  Session session(command, surroundings);
  const auto* row = std::ranges::find(rows, command.verb, &Row::verb);
  SLUICE_CHECK(row != std::end(rows));
  const auto outcome = row->run(session);
  if (!outcome) session.say(outcome.error().what);
  const Exit code = outcome ? *outcome : Exit::refused;
  if (session.out.flush()) return static_cast<int>(code);
  session.say("cannot write all of it: is the disk full?");
  return static_cast<int>(Exit::refused);
}

}  // namespace sluice::cli
