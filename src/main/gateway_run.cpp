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

void tell(Audience audience, log::Level level, const std::string& what) {
  if (audience == Audience::log) log::line(level, "{}", what);
  else std::fprintf(stderr, "sluice: %s\n", what.c_str());
}

void tell_all(Audience audience, const Command& command, const json::Findings& findings) {
  const auto sentence = [&command](const json::Problem& problem) {
    return problem.path + (problem.path.empty() ? "" : " ") + problem.what;
  };
  for (const auto& warning : findings.warnings)
    tell(audience, log::Level::warn, command.file + ": warning: " + sentence(warning));
  for (const auto& problem : findings.problems)
    tell(audience, log::Level::error, command.file + ": " + sentence(problem));
}

}  // namespace

std::string pid_path(const Command& command) { return command.prefix + "/logs/sluice.pid"; }

std::optional<Config> load_config(const Command& command, Audience audience) {
  std::string text;
  std::error_code error;
  if (command.named_file || std::filesystem::exists(command.file, error)) {
    std::ifstream in(command.file);
    std::stringstream all;
    all << in.rdbuf();
    if (!in) {
      tell(audience, log::Level::error, "cannot read " + command.file);
      return std::nullopt;
    }
    text = all.str();
  } else {
    tell(audience, log::Level::notice, "there is no " + command.file + ": every setting has its default");
  }
  json::Findings findings;
  auto config = read_config(text, command.prefix, findings);
  tell_all(audience, command, findings);
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

int serve(const Command& command, Config config, Listeners& listeners, Line& line,
          const std::function<void()>& ready) {
  const auto failed = [](const Error& error) {
    std::fprintf(stderr, "sluice: %s\n", error.what.c_str());
    log::alert("{}", error.what);
    return 1;
  };
  raise_descriptor_limit(config.descriptors_max);
  const std::string user = config.user;
  if (auto known = check_user(user); !known) return failed(known.error());
  Process process(std::move(config), command.prefix, listeners, line);
  if (auto started = process.start(); !started)
    return process.is_told_to_end() ? 0 : failed(started.error());
  if (auto became = become_user(user, command.prefix); !became) return failed(became.error());
  ready();
  process.run();
  return 0;
}

}  // namespace sluice::main
