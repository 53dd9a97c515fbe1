// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>

#include "base/time.h"
#include "cli/lint.h"
#include "cli/session.h"

namespace sluice::cli {
namespace {

using json::Value;

Value to_value(const Finding& finding) {
  return Value::object({{"severity", name_of(finding.severity)},
                        {"rule", finding.rule},
                        {"resource", finding.resource},
                        {"path", finding.path},
                        {"what", finding.what},
                        {"advice", finding.advice}});
}

void show(Session& session, const Finding& finding) {
  constexpr Colour colours[]{Colour::red, Colour::yellow, Colour::cyan};
  const auto severity = coloured(name_of(finding.severity), colours[static_cast<int>(finding.severity)],
                                 session.out.look());
  session.out.raw(severity + " ");
  session.out.line(fmt::format("{}{}{}: {} [{}]", finding.resource, finding.path.empty() ? "" : " ",
                               finding.path, finding.what, finding.rule));
  if (!finding.advice.empty()) session.out.line("      " + finding.advice, Colour::dim);
}

Result<Configuration> configuration_of(Session& session, std::vector<Finding>& found) {
  if (session.command.file.empty()) {
    auto client = session.client();
    if (!client) return std::unexpected(client.error());
    return load_gateway(**client);
  }
  auto loaded = load_files(session.command.file);
  if (!loaded) return std::unexpected(loaded.error());
  for (auto& problem : loaded->problems)
    found.push_back({Severity::error, "unreadable", session.command.file, "", std::move(problem), ""});
  return std::move(loaded->configuration);
}

}  // namespace

Outcome lint_configuration(Session& session) {
  std::vector<Finding> found;
  auto configuration = configuration_of(session, found);
  if (!configuration) return std::unexpected(configuration.error());
  const std::int64_t now_s = Clock::system().wall() / 1'000'000'000;
  std::ranges::move(lint({*configuration, session.surroundings.check, now_s}), std::back_inserter(found));
  const auto count = [&](Severity severity) {
    return static_cast<std::size_t>(std::ranges::count(found, severity, &Finding::severity));
  };
  if (session.command.json) {
    Value all = Value::array();
    for (const auto& finding : found) all.push_back(to_value(finding));
    session.print_json(all);
  } else {
    for (const auto& finding : found) show(session, finding);
    session.out.line(fmt::format("{}: {}, {}, {}", counted(configuration->size(), "resource"),
                                 counted(count(Severity::error), "error"),
                                 counted(count(Severity::warning), "warning"),
                                 counted(count(Severity::info), "note")));
  }
  const bool bad = count(Severity::error) > 0 || (session.command.strict && count(Severity::warning) > 0);
  return bad ? Exit::refused : Exit::done;
}

}  // namespace sluice::cli
