// SPDX-License-Identifier: Apache-2.0
// One life of the gateway: ports and store taken, rights given away, then serving until it is told to end.
// And what comes before: the configuration file read, the log opened. Used by the supervisor. Main thread.
#pragma once
#include <functional>
#include <optional>

#include "main/command_line.h"
#include "main/config.h"
#include "main/line.h"
#include "main/listeners.h"

namespace sluice::main {

// Where the sentences about a configuration file go: the terminal of whoever typed the command, or the log of
// what runs already.
enum class Audience : std::uint8_t { terminal, log };

// Reads the file and tells every warning and problem. A file that was not named and does not exist means the
// defaults.
std::optional<Config> load_config(const Command& command, Audience audience = Audience::terminal);

// Serves. `ready` is called when the ports are taken, before the first connection is. Ends with the exit
// code.
int serve(const Command& command, Config config, Listeners& listeners, Line& line,
          const std::function<void()>& ready);

// PREFIX/logs/sluice.pid
std::string pid_path(const Command& command);
// Makes PREFIX/logs and opens the error log there.
Result<> open_log(const Command& command, const Config& config);

}  // namespace sluice::main
