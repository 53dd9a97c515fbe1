// SPDX-License-Identifier: Apache-2.0
// What the operator typed, taken apart: one verb, the prefix, the configuration file. The parser's heavy
// header stays in the source file. Start of the process.
#pragma once
#include <string>
#include <variant>

namespace sluice::main {

struct Command {
  std::string verb;      // "run", "start", "stop", …
  std::string prefix;    // absolute: the directory of conf/, logs/ and data/
  std::string file;      // absolute: the configuration file
  bool named_file = false;  // by -c: then it has to be there
  std::string backup_to;    // of `backup`
};

// Nothing to do but to end with this code: help was shown, or the line made no sense (2).
using ExitCode = int;

std::variant<Command, ExitCode> parse_command_line(int count, char** words);

}  // namespace sluice::main
