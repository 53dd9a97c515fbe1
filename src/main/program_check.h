// SPDX-License-Identifier: Apache-2.0
// A program is checked before the supervisor becomes it: `PROGRAM test` is run on the configuration file, and
// has to read what would be handed over. So whatever is no Sluice, is one that cannot take over, or does not
// accept the file, costs nothing. Its process is a child of the supervisor, which waits for it.
#pragma once
#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "main/command_line.h"
#include "main/handover.h"

namespace sluice::main {

class ProgramCheck {
 public:
  // `prepare` is called in the new process.
  static Result<ProgramCheck> begin(const std::string& program, const Command& command,
                                    const Handover& handover, void (*prepare)());
  ProgramCheck(const ProgramCheck&) = delete;
  ProgramCheck(ProgramCheck&& other) noexcept;
  ~ProgramCheck();  // the process, if it has not ended, is killed; it is still to be waited for

  pid_t pid() const { return pid_; }
  void ended(int status) { ended_ = true, status_ = status; }
  bool has_ended() const { return ended_; }
  // The version that the program says it is, or one sentence that says why it cannot take over.
  Result<std::string> verdict() const;

 private:
  ProgramCheck() = default;
  std::string program_;
  pid_t pid_ = -1;
  int output_ = -1, errors_ = -1;  // files in memory
  bool ended_ = false;
  int status_ = 0;
};

// What a program that is checked prints when it can take over, before its version.
constexpr std::string_view takes_over = "sluice: takes over, version ";

// The command line of a program begun in the place of this one: `verb` with the same files.
std::vector<std::string> words_for(const std::string& program, std::string_view verb, const Command& command);

}  // namespace sluice::main
