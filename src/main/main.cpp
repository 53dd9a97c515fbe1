// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "main/command_line.h"
#include "main/gateway_run.h"
#include "main/operator.h"
#include "main/outcome.h"
#include "main/pid_file.h"
#include "main/supervisor.h"
#include "main/program_check.h"
#include "main/upgrade_request.h"
#include "store/sqlite_store.h"

namespace {

using namespace sluice;
using main::Command;
using main::Config;

constexpr int stop_seconds_max = 30;
constexpr Duration reload_within = std::chrono::seconds(60);
constexpr Duration upgrade_within = std::chrono::seconds(90);

int failed(const std::string& what) {
  std::fprintf(stderr, "sluice: %s\n", what.c_str());
  return 1;
}

int begin(const Command& command, int (*supervise)(const Command&, const Config&)) {
  const auto config = main::load_config(command);
  if (!config) return 1;
  if (const pid_t runs = main::PidFile::holder(main::pid_path(command)); runs != 0)
    return failed("a gateway runs already on this prefix, process " + std::to_string(runs));
  if (auto opened = main::open_log(command, *config); !opened) return failed(opened.error().what);
  return supervise(command, *config);
}

int run(const Command& command) {
  auto handover = main::take_handover();
  if (!handover) return begin(command, main::supervise_in_foreground);
  if (!*handover) return failed(handover->error().what);
  return main::supervise_after(command, std::move(**handover));
}
int start(const Command& command) { return begin(command, main::supervise_in_background); }

// Sends `number` to the running gateway; with `wait_seconds` it waits for its end so long.
int signal(const Command& command, int number, int wait_seconds) {
  const pid_t runs = main::PidFile::holder(main::pid_path(command));
  if (runs == 0) return failed("no gateway runs on the prefix " + command.prefix);
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, runs, 0));
  const bool sent = process >= 0 && ::syscall(SYS_pidfd_send_signal, process, number, nullptr, 0) == 0;
  if (!sent) return failed(system_message("cannot signal process " + std::to_string(runs), errno));
  pollfd end{process, POLLIN, 0};
  const bool ended = wait_seconds == 0 || ::poll(&end, 1, wait_seconds * 1000) == 1;
  ::close(process);
  if (ended) return 0;
  return failed("process " + std::to_string(runs) + " still runs after " + std::to_string(wait_seconds) +
                " s: look into its error log, or kill it");
}

int quit(const Command& command) {
  const auto config = main::load_config(command);
  const Duration patience = config ? config->shutdown_timeout : main::Config().shutdown_timeout;
  return signal(command, SIGQUIT, static_cast<int>(patience / std::chrono::seconds(1)) + stop_seconds_max);
}

// Sends `number`, by which the running gateway does something and tells how it went.
int ask(const Command& command, int number, Duration patience) {
  const auto before = main::read_outcome(command.prefix);
  if (const int code = signal(command, number, 0); code != 0) return code;
  const auto outcome = main::await_outcome(command.prefix, before ? before->number : 0, patience);
  if (!outcome && main::PidFile::holder(main::pid_path(command)) == 0)
    return failed("the gateway has ended: its error log may tell why");
  if (!outcome) return failed("it is still under way: its end will be told in the error log");
  if (!outcome->applied) return failed(outcome->what);
  std::printf("sluice: %s\n", outcome->what.c_str());
  return 0;
}

int reload(const Command& command) {
  if (!main::load_config(command)) return 1;  // what runs goes on
  return ask(command, SIGHUP, reload_within);
}

int upgrade(const Command& command) {
  const pid_t runs = main::PidFile::holder(main::pid_path(command));
  if (runs == 0) return failed("no gateway runs on the prefix " + command.prefix);
  if (!main::understands_upgrade(runs))
    return failed("process " + std::to_string(runs) + " is of a version that cannot hand over, or may not be "
                  "looked at: `sluice restart` puts another version to work");
  if (auto asked = main::request_program(command.prefix, command.binary); !asked)
    return failed(asked.error().what);
  return ask(command, SIGUSR2, upgrade_within);
}

int restart(const Command& command) {
  if (!main::load_config(command)) return 1;  // what runs goes on
  const bool runs = main::PidFile::holder(main::pid_path(command)) != 0;
  if (const int code = runs ? quit(command) : 0; code != 0) return code;
  return start(command);
}

int test(const Command& command) {
  if (!main::load_config(command)) return 1;
  if (const auto handover = main::given_handover()) {
    if (!*handover) return failed(handover->error().what);
    std::printf("%s%s\n", main::takes_over.data(), SLUICE_VERSION);
    return 0;
  }
  std::printf("sluice: %s holds\n", command.file.c_str());
  return 0;
}

int backup(const Command& command) {
  const std::string store = command.prefix + "/data/sluice.db";
  if (auto done = store::backup_sqlite(store, command.backup_to); !done) return failed(done.error().what);
  std::printf("sluice: %s holds a copy of %s\n", command.backup_to.c_str(), store.c_str());
  return 0;
}

int version(const Command&) {
  std::puts("sluice " SLUICE_VERSION);
  return 0;
}

struct Verb {
  std::string_view name;
  int (*run)(const Command&);
};
constexpr Verb verbs[] = {
    {"run", run},
    {"start", start},
    {"stop", [](const Command& command) { return signal(command, SIGTERM, stop_seconds_max); }},
    {"quit", quit},
    {"reload", reload},
    {"upgrade", upgrade},
    {"restart", restart},
    {"reopen", [](const Command& command) { return signal(command, SIGUSR1, 0); }},
    {"test", test},
    {"backup", backup},
    {"version", version},
};

}  // namespace

int main(int count, char** words) {
  const auto parsed = main::parse_command_line(count, words);
  if (const auto* code = std::get_if<main::ExitCode>(&parsed)) return *code;
  if (const auto* asked = std::get_if<cli::Command>(&parsed)) return main::run_for_operator(*asked);
  const auto& command = std::get<Command>(parsed);
  for (const Verb& verb : verbs) {
    if (verb.name == command.verb) return verb.run(command);
  }
  return 2;
}
