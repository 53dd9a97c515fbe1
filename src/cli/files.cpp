// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "cli/session.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

// The two sides of `apply` and `diff`, and what leads from one to the other.
struct Comparison {
  std::optional<std::int64_t> revision;  // of the store, when `now` was read
  Configuration now, wanted;
  Plan plan;
};

Result<> write_file(const std::string& path, std::string_view text) {
  const std::string beside = path + ".new";
  std::remove(beside.c_str());
  std::ofstream out(beside, std::ios::binary);
  std::error_code error;
  fs::permissions(beside, fs::perms::owner_read | fs::perms::owner_write, error);  // there are keys in it
  if (!error) out << text;
  out.close();
  if (out && !error) fs::rename(beside, path, error);
  if (out && !error) return {};
  std::remove(beside.c_str());
  return fail(ErrorKind::system, fmt::format("cannot write {}{}", path, error ? ": " + error.message() : ""));
}

Result<Configuration> wanted_by_files(Session& session) {
  auto loaded = load_files(session.command.file);
  if (!loaded) return std::unexpected(loaded.error());
  if (loaded->problems.empty()) return std::move(loaded->configuration);
  for (const auto& problem : loaded->problems) session.say(problem);
  return fail(ErrorKind::protocol,
              fmt::format("{} problems in what was to be read; nothing is changed", loaded->problems.size()));
}

// The plan points into the two configurations, so it is made where they stay.
Result<> compare(Session& session, Comparison& into) {
  auto wanted = wanted_by_files(session);
  if (!wanted) return std::unexpected(wanted.error());
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto revision = stored_revision(**client);
  if (!revision) return std::unexpected(revision.error());
  auto now = load_gateway(**client);
  if (!now) return std::unexpected(now.error());
  into.revision = *revision;
  into.wanted = std::move(*wanted);
  into.now = std::move(*now);
  into.plan = make_plan(into.now, into.wanted, session.command.prune ? Prune::yes : Prune::no);
  return {};
}

void show(Session& session, const Plan& plan) {
  for (const Change& change : plan.changes)
    show_change(session.out, change.action, change.item().name(),
                change.before ? &change.before->body : nullptr, change.after ? &change.after->body : nullptr);
}

Outcome change_gateway(Session& session, Trial trial) {
  if (session.command.file.empty())
    return session.usage("say with -f which file or directory is to be read; -f - reads standard input");
  Comparison comparison;
  if (auto compared = compare(session, comparison); !compared) return std::unexpected(compared.error());
  const Plan& plan = comparison.plan;
  if (!session.command.json && trial == Trial::yes) show(session, plan);
  if (!plan.changes.empty()) {
    auto answer = transact(**session.client(), plan, trial, comparison.revision);
    if (!answer) return std::unexpected(answer.error());
  }
  if (session.command.json) {
    session.print_json(to_value(plan));
    return Exit::done;
  }
  if (trial == Trial::no) {
    for (const Change& change : plan.changes)
      session.out.line(fmt::format("{} {}d", change.item().name(), name_of(change.action)));
  }
  session.out.line(summary_of(plan) + (trial == Trial::yes ? " (nothing was changed)" : ""));
  return Exit::done;
}

}  // namespace

Outcome dump_configuration(Session& session) {
  auto client = session.client();
  if (!client) return std::unexpected(client.error());
  auto configuration = load_gateway(**client);
  if (!configuration) return std::unexpected(configuration.error());
  for (const auto& resource : model::resources()) {
    const bool some = std::ranges::any_of(configuration->items(), [&](const auto& entry) {
      return entry.second.resource == &resource;
    });
    if (some && !resource.hidden[0].empty())
      session.say(
          fmt::format("the Admin API does not tell `{}` of {}: add it before the file is used elsewhere",
                      resource.hidden[0], resource.path));
  }
  const std::string text = session.command.json
                               ? json::dump(document_of(*configuration), json::Style::pretty) + "\n"
                               : file_of(*configuration);
  if (session.command.output.empty()) {
    session.out.raw(text);
    return Exit::done;
  }
  if (auto written = write_file(session.command.output, text); !written)
    return std::unexpected(written.error());
  session.say(fmt::format("{} holds {}", session.command.output, counted(configuration->size(), "resource")));
  return Exit::done;
}

Outcome apply_files(Session& session) {
  return change_gateway(session, session.command.dry_run ? Trial::yes : Trial::no);
}

Outcome diff_files(Session& session) { return change_gateway(session, Trial::yes); }

}  // namespace sluice::cli
