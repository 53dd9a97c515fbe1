// SPDX-License-Identifier: Apache-2.0
#include "main/command_line.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "main/upgrade_request.h"

namespace sluice::main {
namespace {

constexpr cli::Option prefix{"-p,--prefix", "DIR", "Directory of conf/, logs/ and data/ (default: here)",
                             &cli::Command::prefix};
constexpr cli::Option config{"-c,--config", "FILE", "Configuration file (default: PREFIX/conf/config.yaml)",
                             &cli::Command::config};
constexpr cli::Option binary{"--binary", "PROGRAM",
                             "The new program (default: the one at the path the gateway was started with)",
                             &cli::Command::binary};
constexpr const cli::Option* options[]{&prefix, &config};
constexpr const cli::Option* upgrade_options[]{&prefix, &config, &binary};

constexpr cli::Verb verbs[] = {
    {"run", "Serve in the foreground until a signal ends it", "sluice run -p /etc/sluice", "", options},
    {"start", "Serve in the background, restarted when it crashes", "sluice start -p /etc/sluice", "",
     options},
    {"stop", "End the running gateway now", "sluice stop -p /etc/sluice", "", options},
    {"quit", "End the running gateway behind the last response under way", "sluice quit -p /etc/sluice", "",
     options},
    {"reload", "Take up the changed configuration file, without a lost request",
     "sluice reload -p /etc/sluice", "", options},
    {"upgrade", "Put a new version to work in the place of the running one, without a lost request",
     "sluice upgrade -p /etc/sluice", "", upgrade_options},
    {"restart", "Check the configuration file, then quit and start", "sluice restart -p /etc/sluice", "",
     options},
    {"reopen", "Have the running gateway open its log files anew, after a rotation",
     "sluice reopen -p /etc/sluice", "", options},
    {"test", "Check the configuration file and say what is wrong with it", "sluice test -c new-config.yaml",
     "", options},
    {"backup", "Copy the store into FILE, also while the gateway runs", "sluice backup sluice-monday.db",
     "FILE", options},
    {"version", "Say which version this is", "sluice version", "", options},
};

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// The table's rows as the parser's; and which of them was typed.
class Parser {
 public:
  explicit Parser(cli::Command& command) : command_(command) {
    app_.require_subcommand(0, 1);
    app_.footer("sluice help VERB... tells more, with an example. docs/command_line.md has them all.");
    for (const auto& verb : verbs) add(app_, verb, "", {})->group("The gateway's process");
    for (const auto& verb : cli::verbs())
      add(app_, verb, "", cli::gateway_options())->group("The configuration of a running gateway");
    for (const auto& resource : model::resources()) add(resource);
    help_ = app_.add_subcommand("help", "This list, or what is to be known of a verb");
    help_->add_option("VERB", help_words_, "As `help route put`");
    help_->group("Help");
  }

  // The code to end with, or -1 when there is something to do: `command` then says what.
  int parse(int count, char** words) {
    try {
      app_.parse(count, words);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : 2;
    }
    if (help_->parsed()) return help();
    for (const Made& made : made_) {
      if (!made.app->parsed()) continue;
      command_.verb = made.verb;  // the innermost comes last
      command_.kind = made.kind;
    }
    if (!command_.verb.empty()) return -1;
    std::fprintf(stderr, "sluice: say what to do\n%s", app_.help().c_str());
    return 2;
  }

 private:
  struct Made {
    CLI::App* app;
    std::string verb;  // "history show"
    std::string kind;
  };

  void add_option(CLI::App& sub, const cli::Option& option) {
    const std::string names(option.names), help(option.help);
    if (option.flag != nullptr) sub.add_flag(names, command_.*option.flag, help);
    else sub.add_option(names, command_.*option.text, help)->type_name(std::string(option.value));
  }

  CLI::App* add(CLI::App& above, const cli::Verb& verb, const std::string& kind,
                std::span<const cli::Option* const> more, const std::string& before = {}) {
    CLI::App* sub = above.add_subcommand(std::string(verb.name), std::string(verb.summary));
    sub->footer("Example: " + std::string(verb.example));
    if (!verb.argument.empty()) {
      const bool optional = verb.argument.starts_with('[');
      const auto name = optional ? verb.argument.substr(1, verb.argument.size() - 2) : verb.argument;
      sub->add_option(std::string(name), command_.argument)->required(!optional)->type_name("");
    }
    for (const cli::Option* option : verb.options) add_option(*sub, *option);
    for (const cli::Option* option : more) add_option(*sub, *option);
    const std::string path = before + std::string(verb.name);
    made_.push_back({sub, path, kind});
    for (const auto& below : verb.below) add(*sub, below, kind, more, path + " ");
    return sub;
  }

  void add(const model::Resource& resource) {
    const auto names = cli::names_of(resource);
    CLI::App* sub = app_.add_subcommand(names.front(), "list, get, put, delete");
    for (std::size_t i = 1; i < names.size(); ++i) sub->alias(names[i]);
    sub->group("Resources of a running gateway");
    sub->require_subcommand(1);
    sub->footer("Example: sluice " + names.front() + " list");
    for (const auto& verb : cli::resource_verbs())
      add(*sub, verb, std::string(resource.path), cli::gateway_options());
  }

  int help() const {
    const CLI::App* about = &app_;
    std::string name = "sluice";
    for (const std::string& word : help_words_) {
      const auto below = about->get_subcommands([&](const CLI::App* sub) { return sub->check_name(word); });
      if (!below.empty()) {
        about = below.front();
        name += " " + about->get_name();
        continue;
      }
      std::fprintf(stderr, "sluice: there is no verb '%s': `sluice help` lists them\n", word.c_str());
      return 2;
    }
    std::fputs(about->get_formatter()->make_help(about, name, CLI::AppFormatMode::Normal).c_str(), stdout);
    return 0;
  }

  cli::Command& command_;
  CLI::App app_{"Sluice, a dynamic API gateway", "sluice"};
  CLI::App* help_ = nullptr;
  std::vector<std::string> help_words_;
  std::vector<Made> made_;
};

bool is_about_process(std::string_view verb) {
  return std::ranges::any_of(verbs, [&](const auto& row) { return row.name == verb; });
}

}  // namespace

std::span<const cli::Verb> process_verbs() { return verbs; }

Command process_of(const cli::Command& command) {
  Command made;
  made.verb = command.verb;
  made.named_file = !command.config.empty();
  made.prefix = absolute(command.prefix.empty() ? "." : command.prefix);
  made.file = absolute(made.named_file ? command.config : made.prefix + "/conf/config.yaml");
  made.backup_to = command.argument;
  if (!command.binary.empty()) made.binary = absolute(command.binary);
  return made;
}

std::variant<Command, cli::Command, ExitCode> parse_command_line(int count, char** words) {
  cli::Command command;
  Parser parser(command);
  if (const int code = parser.parse(count, words); code >= 0) return code;
  if (command.kind.empty() && is_about_process(command.verb)) {
    Command made = process_of(command);
    made.program = program_called(words[0]);
    return made;
  }
  return command;
}

}  // namespace sluice::main
