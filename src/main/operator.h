// SPDX-License-Identifier: Apache-2.0
// Carries out what an operator typed about a running gateway: finds its Admin API and the key, and gives
// cli/ what only this folder knows, as which plugins there are. Main thread of a process of its own.
#pragma once
#include "cli/command.h"

namespace sluice::main {

// The exit code.
int run_for_operator(const cli::Command& command);

}  // namespace sluice::main
