// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <cstdlib>

#include "async/loop.h"
#include "base/text.h"
#include "cli/session.h"
#include "json/text.h"
#include "net/resolver.h"
#include "store/etcd_store.h"

namespace sluice::cli {
namespace {

using json::Value;

// A configuration of an APISIX, sorted into what can be honoured and what cannot.
struct Import {
  Configuration holds;
  json::Problems problems;  // their resource is left out
  json::Problems warnings;  // of what has no effect here
};

std::string text_of_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// etcd://host:port[,host:port]/prefix, etcds:// with TLS; user and password are in the environment.
Result<store::EtcdOptions> parse_etcd(std::string_view source) {
  const bool secure = source.starts_with("etcds://");
  std::string_view rest = source.substr(source.find("://") + 3);
  const auto slash = rest.find('/');
  store::EtcdOptions options;
  options.prefix = slash == rest.npos || slash + 1 == rest.size() ? "/apisix" : rest.substr(slash);
  for (std::string_view member : Split(rest.substr(0, slash), ',')) {
    auto parsed = store::parse_member((secure ? "https://" : "http://") + std::string(member));
    if (!parsed)
      return fail(ErrorKind::protocol,
                  fmt::format("'{}' names no etcd: write it as etcd://127.0.0.1:2379/apisix", source));
    options.members.push_back(std::move(*parsed));
  }
  options.user = text_of_variable("SLUICE_ETCD_USER");
  options.password = text_of_variable("SLUICE_ETCD_PASSWORD");
  options.timeout = std::chrono::seconds(10);
  if (!secure) return options;
  net::TlsContext::Client tls;
  auto made = net::TlsContext::client(tls);
  if (!made) return std::unexpected(made.error());
  options.tls = std::move(*made);
  return options;
}

async::Task<Result<IpAddress>> resolve(net::Resolver& resolver, std::string name) {
  auto found = co_await resolver.resolve(name);
  if (!found) co_return std::unexpected(found.error());
  co_return found->addresses.front();
}

Result<std::vector<store::Entry>> read_etcd(std::string_view source) {
  auto options = parse_etcd(source);
  if (!options) return std::unexpected(options.error());
  async::Loop loop;
  auto resolver = net::Resolver::make(loop, {});
  if (!resolver) return std::unexpected(resolver.error());
  store::EtcdPlace place{std::move(*options), [](std::string_view, std::string_view) {
                           return std::vector<std::string>();
                         }, ""};
  auto opened =
      store::open_etcd(std::move(place), loop, net::Network::system(),
                       [&](std::string name, Instant) { return resolve(**resolver, std::move(name)); });
  if (!opened) return std::unexpected(opened.error());
  if (const auto standing = (*opened)->standing(); !standing.loaded)
    return fail(ErrorKind::refused, fmt::format("cannot read {}: {}", source, standing.what));
  std::vector<store::Entry> entries;
  auto scanned = (*opened)->scan(std::string(model::key_prefix),
                                 [&](store::Entry&& entry) { entries.push_back(std::move(entry)); });
  if (!scanned) return std::unexpected(scanned.error());
  return entries;
}

// APISIX's etcd holds secrets encrypted.
void open_secrets(const Session& session, std::vector<store::Entry>& entries, Import& into) {
  std::vector<std::string> keyring;
  const std::string given = text_of_variable("SLUICE_ETCD_KEYRING");
  for (std::string_view key : Split(given, ',')) {
    if (key.size() == 16 || key.size() == 32) keyring.emplace_back(key);
    else if (!key.empty())
      into.warnings.push_back(
          {"SLUICE_ETCD_KEYRING", "has a key that is neither 16 nor 32 characters long", {}});
  }
  const auto seal = session.surroundings.seal_of(std::move(keyring));
  for (auto& entry : entries) {
    json::Problems problems;
    entry.value = seal->open(entry.key, std::move(entry.value), problems);
    const std::string name = entry.key.substr(model::key_prefix.size());
    for (auto& problem : problems)
      into.problems.push_back({name + " " + problem.path,
                               "decrypts with no key of the variable SLUICE_ETCD_KEYRING (apisix's "
                               "data_encryption.keyring, with commas between)",
                               {}});
  }
}

void take(store::Entry entry, const store::CheckResource& check, Import& into) {
  const auto parts = model::split_key(entry.key);
  const std::string name = entry.key.substr(model::key_prefix.size());
  if (parts.resource == nullptr)
    return into.warnings.push_back({name, "is no kind of resource here; it is left out", {}}), void();
  auto body = json::parse(entry.value);
  if (!body || !body->is_object())
    return into.problems.push_back({name, "is no JSON object; it is left out", {}}), void();
  json::Findings findings;
  check(*parts.resource, parts.id, *body, findings);
  for (auto& problem : findings.problems)
    into.problems.push_back({name + " " + problem.path, problem.what, {}});
  for (auto& warning : findings.warnings)
    into.warnings.push_back({name + " " + warning.path, warning.what, {}});
  if (findings.ok()) into.holds.add({parts.resource, std::string(parts.id), std::move(*body), {}});
}

// A gateway refuses what refers to nothing, so that goes as well, and what refers to that.
void leave_out_orphans(const store::CheckResource& check, Import& into) {
  for (bool again = true; again;) {
    std::vector<const Item*> orphans;
    for (const auto& [key, item] : into.holds.items()) {
      json::Findings findings;
      check(*item.resource, item.id, with_name(item), findings);
      for (const auto& reference : findings.references) {
        const auto* target = model::find_resource(reference.resource);
        if (target == nullptr || into.holds.find(*target, reference.id) != nullptr) continue;
        into.problems.push_back({item.name() + " " + reference.path,
                                 fmt::format("names {} {}, which is not there or left out", target->kind,
                                             reference.id), {}});
        orphans.push_back(&item);
        break;
      }
    }
    again = !orphans.empty();
    for (const Item* orphan : orphans) into.holds.erase(Item(*orphan));
  }
}

Result<Import> read_source(Session& session) {
  const std::string& source = session.command.argument;
  const auto& check = session.surroundings.check;
  Import import;
  if (source.starts_with("etcd://") || source.starts_with("etcds://")) {
    auto entries = read_etcd(source);
    if (!entries) return std::unexpected(entries.error());
    open_secrets(session, *entries, import);
    for (auto& entry : *entries) take(std::move(entry), check, import);
  } else {
    auto text = read_text(source);
    if (!text) return std::unexpected(text.error());
    json::Findings findings;
    const auto format = source.ends_with(".json") ? store::FileFormat::json : store::FileFormat::yaml;
    const store::CheckResource anything = [](const auto&, auto, const auto&, auto&) {};
    auto entries = store::read_config_file(*text, format, anything, findings);
    if (!entries)
      return fail(ErrorKind::protocol, fmt::format("cannot import {}: {}", source, entries.error().what));
    import.problems = std::move(findings.problems);
    import.warnings = std::move(findings.warnings);
    for (auto& entry : *entries) take(std::move(entry), check, import);
  }
  leave_out_orphans(check, import);
  return import;
}

void show(Session& session, const Import& import) {
  for (const auto& problem : import.problems)
    session.out.line(fmt::format("not honoured  {}: {}", problem.path, problem.what), Colour::red);
  for (const auto& warning : import.warnings)
    session.out.line(fmt::format("no effect     {}: {}", warning.path, warning.what), Colour::yellow);
  session.out.line(fmt::format("{} can be imported; {}, {}", counted(import.holds.size(), "resource"),
                               counted(import.problems.size(), "problem"),
                               counted(import.warnings.size(), "warning")));
}

}  // namespace

Outcome import_configuration(Session& session) {
  auto import = read_source(session);
  if (!import) return std::unexpected(import.error());
  const Command& command = session.command;
  Value report = Value::object({{"resources", import->holds.size()},
                                {"problems", json::to_value(import->problems)},
                                {"warnings", json::to_value(import->warnings)}});
  if (!command.json) show(session, *import);
  const bool applies = command.apply || command.dry_run;
  if (applies) {
    auto client = session.client();
    if (!client) return std::unexpected(client.error());
    auto now = load_gateway(**client);
    if (!now) return std::unexpected(now.error());
    const Plan plan = make_plan(*now, import->holds, Prune::no);
    const Trial trial = command.dry_run ? Trial::yes : Trial::no;
    if (!plan.changes.empty()) {
      auto answer = transact(**client, plan, trial, std::nullopt);
      if (!answer) return std::unexpected(answer.error());
    }
    report.set("plan", to_value(plan));
    if (!command.json)
      session.out.line(summary_of(plan) + (trial == Trial::yes ? " (nothing was changed)" : ""));
  } else if (!command.json) {
    session.say("a report only: --apply imports what holds");
  }
  if (command.json) session.print_json(report);
  return import->problems.empty() ? Exit::done : Exit::refused;
}

}  // namespace sluice::cli
