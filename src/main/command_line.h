// SPDX-License-Identifier: Apache-2.0
// What was typed, taken apart: one verb about the gateway's process, with the prefix and the configuration
// file, or one about a running gateway (cli/). The parser's heavy header stays in the source file. Start of
// the process.
#pragma once
#include <span>
#include <string>
#include <variant>

#include "cli/command.h"
#include "cli/verbs.h"

namespace sluice::main {

struct Command {
  std::string verb;      // "run", "start", "stop", …
  std::string prefix;    // absolute: the directory of conf/, logs/ and data/
  std::string file;      // absolute: the configuration file
  bool named_file = false;  // by -c: then it has to be there
  std::string backup_to;    // of `backup`
  std::string binary;       // of `upgrade`: absolute, or "" for where the running program was started from
  std::string program;      // absolute: where this one was started from
};

// Nothing to do but to end with this code: help was shown, or the line made no sense (2).
using ExitCode = int;

std::variant<Command, cli::Command, ExitCode> parse_command_line(int count, char** words);

// What a verb about a running gateway says of the process: where its files are.
Command process_of(const cli::Command& command);

// The verbs about the process, for --help and completion.
std::span<const cli::Verb> process_verbs();

}  // namespace sluice::main
