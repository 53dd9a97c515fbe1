// SPDX-License-Identifier: Apache-2.0
// The process above the gateway: it holds the pid file and the listening sockets, and puts one process after
// another behind them. The first at the start; another when the one that served crashed, after a pause that
// doubles while it keeps crashing; another with fresh settings at a reload, while the old one finishes what
// it has. A process that does not come up costs nothing: the one before it goes on, or its settings do. At an
// upgrade it becomes another program, under the same number, and puts one of that version to work.
#pragma once
#include "main/command_line.h"
#include "main/config.h"
#include "main/handover.h"

namespace sluice::main {

// `sluice run`: until a signal ends it. The exit code.
int supervise_in_foreground(const Command& command, const Config& config);

// `sluice start`. Comes back in the calling process only, when the gateway has its ports (0) or could not
// start (1; it has said why on standard error).
int supervise_in_background(const Command& command, const Config& config);

// `sluice run` of a program that takes the place of another one in the same process.
int supervise_after(const Command& command, Handover handover);

}  // namespace sluice::main
