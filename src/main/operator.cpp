// SPDX-License-Identifier: Apache-2.0
#include "main/operator.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "cli/run.h"
#include "main/command_line.h"
#include "main/config.h"
#include "main/pem_file.h"
#include "main/seals.h"
#include "net/certificate.h"
#include "plugin/registry.h"
#include "plugin/validator.h"
#include "plugins/list.h"

namespace sluice::main {
namespace {

Result<std::string> read_file(const std::string& path, std::string_view what) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return fail(ErrorKind::not_found, fmt::format("cannot read {} {}", what, path));
  return text.str();
}

// The configuration file, without its warnings: `sluice test` tells those.
Result<Config> read_config_of(const Command& process) {
  std::string text;
  std::error_code error;
  if (process.named_file || std::filesystem::exists(process.file, error)) {
    auto read = read_file(process.file, "the configuration file");
    if (!read) return std::unexpected(read.error());
    text = std::move(*read);
  }
  json::Findings findings;
  auto config = read_config(text, process.prefix, findings);
  if (config) return std::move(*config);
  const auto& problem = findings.problems.front();
  return fail(ErrorKind::protocol, fmt::format("{}: {} {}", process.file, problem.path, problem.what));
}

Result<std::string> key_in_file(const std::string& path) {
  auto text = read_file(path, "the Admin API's key in");
  if (!text) return text;
  return std::string(trim(*text));
}

// Never an argument: those are seen by everybody on the machine.
std::optional<Result<std::string>> given_key(const cli::Command& command) {
  if (!command.key_file.empty()) return key_in_file(command.key_file);
  if (const char* key = std::getenv("SLUICE_ADMIN_KEY"); key != nullptr && *key != '\0')
    return std::string(key);
  return std::nullopt;
}

Result<std::string> key_of(const Config& config, const Command& process) {
  if (!config.admin_key_required) return std::string();
  for (const admin::Key& key : config.admin_keys) {
    if (key.role == admin::Role::admin) return key.key;
  }
  const std::string path = process.prefix + "/data/admin.key";
  auto key = key_in_file(path);
  if (key) return key;
  return fail(
      ErrorKind::not_found,
      fmt::format("{}: -p names the gateway's directory, --key-file or SLUICE_ADMIN_KEY give a key, and "
                  "sudo may be needed to read it",
                  key.error().what));
}

Result<> read_tls(const cli::Command& command, cli::Place& place) {
  const std::pair<const std::string*, std::string*> files[] = {
      {&command.authority_file, &place.tls.authorities},
      {&command.certificate_file, &place.tls.certificate},
      {&command.certificate_key_file, &place.tls.key},
  };
  for (const auto& [path, into] : files) {
    if (path->empty()) continue;
    auto text = read_file(*path, "");
    if (!text) return std::unexpected(text.error());
    *into = std::move(*text);
  }
  return {};
}

// The gateway's own certificate is known here, so it is what has to be there, under a name it is for.
void trust_own_certificate(const Config& config, const Command& process, cli::Place& place) {
  if (!place.secure || !place.tls.authorities.empty()) return;
  auto pem = read_pem_file(config.admin_certificate, process.prefix, "");
  if (!pem) return;
  if (auto facts = net::certificate_facts(*pem); facts && !facts->names.empty() &&
                                                !facts->names.front().starts_with('*'))
    place.server_name = facts->names.front();
  place.tls.authorities = std::move(*pem);
  place.tls.pinned = true;
}

Result<cli::Place> local_gateway(const Command& process, const Config& config) {
  if (!config.admin)
    return fail(ErrorKind::not_found,
                fmt::format("{} switches the Admin API off (apisix.enable_admin): --server "
                            "names a gateway that has one",
                            process.file));
  Endpoint at = config.admin_listen;
  if (at.address == IpAddress()) at.address = IpAddress::loopback();
  if (at.address == IpAddress::v6(0, 0)) at.address = IpAddress::v6(0, 1);
  return cli::parse_server((config.admin_https ? "https://" : "http://") + at.text());
}

Result<cli::Place> find_gateway(const cli::Command& command) {
  const Command process = process_of(command);
  const bool local = command.server.empty();
  std::optional<Config> config;
  // A key is only taken from the files of a gateway that was meant.
  if (local || !command.prefix.empty() || !command.config.empty()) {
    auto read = read_config_of(process);
    if (!read) return std::unexpected(read.error());
    config = std::move(*read);
  }
  auto place = local ? local_gateway(process, *config) : cli::parse_server(command.server);
  if (!place) return place;
  if (auto read = read_tls(command, *place); !read) return std::unexpected(read.error());
  if (local) trust_own_certificate(*config, process, *place);
  auto key = given_key(command);
  if (!key && config) key = key_of(*config, process);
  if (!key)
    return fail(ErrorKind::not_found,
                fmt::format("--key-file or SLUICE_ADMIN_KEY gives the key of {}", place->url));
  if (!*key) return std::unexpected(key->error());
  place->key = std::move(**key);
  return place;
}

}  // namespace

int run_for_operator(const cli::Command& command) {
  const plugin::Registry registry(plugins::all(), {});
  const plugin::Validator validator(registry.types(), registry.types(plugin::Subsystem::stream));
  cli::Surroundings surroundings;
  surroundings.gateway = [&command] { return find_gateway(command); };
  surroundings.check = [&validator](const model::Resource& resource, std::string_view id,
                                    const json::Value& body, json::Findings& findings) {
    validator.check(resource, id, body, findings);
  };
  const plugin::SecretPlaces places(plugins::all());
  surroundings.seal_of = [&places](std::vector<std::string> keyring) {
    return seal_with_keyring(places, {.keyring = std::move(keyring)});
  };
  surroundings.more_verbs = process_verbs();
  return cli::run(command, surroundings);
}

}  // namespace sluice::main
