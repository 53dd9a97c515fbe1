// SPDX-License-Identifier: Apache-2.0
#include "main/command_line.h"

#include <CLI/CLI.hpp>
#include <filesystem>

namespace sluice::main {
namespace {

struct Verb {
  const char* name;
  const char* summary;
};
constexpr Verb verbs[] = {
    {"run", "Serve in the foreground until a signal ends it"},
    {"start", "Serve in the background, restarted when it crashes"},
    {"stop", "End the running gateway now"},
    {"quit", "End the running gateway behind the last response under way"},
    {"reload", "Take up the changed configuration file, without a lost request"},
    {"restart", "Check the configuration file, then quit and start"},
    {"reopen", "Have the running gateway open its log files anew, after a rotation"},
    {"test", "Check the configuration file and say what is wrong with it"},
    {"backup", "Copy the store into FILE, also while the gateway runs"},
    {"version", "Say which version this is"},
};

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

std::variant<Command, ExitCode> parse_command_line(int count, char** words) {
  CLI::App app("Sluice, a dynamic API gateway", "sluice");
  app.require_subcommand(0, 1);
  app.set_help_all_flag("--help-all", "Help on every verb");
  Command command;
  command.prefix = ".";
  for (const Verb& verb : verbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
    sub->add_option("-p,--prefix", command.prefix, "Directory of conf/, logs/ and data/ (default: here)");
    sub->add_option("-c,--config", command.file, "Configuration file (default: PREFIX/conf/config.yaml)");
    if (std::string_view(verb.name) == "backup")
      sub->add_option("FILE", command.backup_to, "Where to: a file that does not exist yet")->required();
  }
  app.add_subcommand("help", "This list");
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (app.get_subcommands().empty()) {
    std::fprintf(stderr, "sluice: say what to do\n%s", app.help().c_str());
    return 2;
  }
  command.verb = app.get_subcommands().front()->get_name();
  if (command.verb == "help") {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  }
  command.named_file = !command.file.empty();
  command.prefix = absolute(command.prefix);
  command.file = absolute(command.named_file ? command.file : command.prefix + "/conf/config.yaml");
  return command;
}

}  // namespace sluice::main
