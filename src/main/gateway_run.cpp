// SPDX-License-Identifier: Apache-2.0
#include "main/gateway_run.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "main/privileges.h"
#include "main/process.h"

namespace sluice::main {
namespace {

void tell(const Command& command, const char* kind, const json::Problem& problem) {
  std::fprintf(stderr, "sluice: %s: %s%s%s%s\n", command.file.c_str(), kind, problem.path.c_str(),
               problem.path.empty() ? "" : " ", problem.what.c_str());
}

}  // namespace

std::string pid_path(const Command& command) { return command.prefix + "/logs/sluice.pid"; }

std::optional<Config> load_config(const Command& command) {
  std::string text;
  std::error_code error;
  if (command.named_file || std::filesystem::exists(command.file, error)) {
    std::ifstream in(command.file);
    std::stringstream all;
    all << in.rdbuf();
    if (!in) {
      std::fprintf(stderr, "sluice: cannot read %s\n", command.file.c_str());
      return std::nullopt;
    }
    text = all.str();
  } else {
    std::fprintf(stderr, "sluice: there is no %s: every setting has its default\n", command.file.c_str());
  }
  json::Findings findings;
  auto config = read_config(text, command.prefix, findings);
  for (const auto& warning : findings.warnings) tell(command, "warning: ", warning);
  for (const auto& problem : findings.problems) tell(command, "", problem);
  return config;
}

Result<> open_log(const Command& command, const Config& config) {
  std::error_code error;
  std::filesystem::create_directories(command.prefix + "/logs", error);
  if (error)
    return fail(ErrorKind::system, "cannot create " + command.prefix + "/logs: " + error.message());
  log::set_level(config.error_log_level);
  return log::open(config.error_log);
}

int serve(const Command& command, Config config, const std::function<void()>& ready) {
  const auto failed = [](const Error& error) {
    std::fprintf(stderr, "sluice: %s\n", error.what.c_str());
    log::alert("{}", error.what);
    return 1;
  };
  raise_descriptor_limit(config.descriptors_max);
  const std::string user = config.user;
  Process process(std::move(config), command.prefix);
  if (auto started = process.start(); !started) return failed(started.error());
  if (auto became = become_user(user, command.prefix); !became) return failed(became.error());
  ready();
  process.run();
  return 0;
}

}  // namespace sluice::main
