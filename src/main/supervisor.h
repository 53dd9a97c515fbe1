// SPDX-License-Identifier: Apache-2.0
// `sluice start`: a gateway in the background and, above it, a process that holds nothing but the pid file:
// it passes signals on and starts the gateway again when it crashed, after a pause that doubles while it
// keeps crashing.
#pragma once
#include "main/command_line.h"
#include "main/config.h"

namespace sluice::main {

// Comes back in the calling process only, when the gateway has its ports (0) or could not start (1; it has
// said why on standard error).
int start_supervised(const Command& command, const Config& config);

}  // namespace sluice::main
