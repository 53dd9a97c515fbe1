// SPDX-License-Identifier: Apache-2.0
// One life of the gateway: the configuration file read, ports and store taken, rights given away, then
// serving until a signal ends it. Used by `run` in the foreground and by the supervisor. Main thread.
#pragma once
#include <functional>
#include <optional>

#include "main/command_line.h"
#include "main/config.h"

namespace sluice::main {

// Reads the file; the operator is told every warning and problem on standard error. A file that was not named
// and does not exist means the defaults.
std::optional<Config> load_config(const Command& command);

// Serves. `ready` is called when the ports are taken, before the first connection is. Ends with the exit
// code.
int serve(const Command& command, Config config, const std::function<void()>& ready);

// PREFIX/logs/sluice.pid
std::string pid_path(const Command& command);
// Makes PREFIX/logs and opens the error log there.
Result<> open_log(const Command& command, const Config& config);

}  // namespace sluice::main
