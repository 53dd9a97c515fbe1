// SPDX-License-Identifier: Apache-2.0
// A process that serves, as its supervisor sees it: its number, the line to it, and how far it has come. The
// supervisor owns it until the process has ended.
#pragma once
#include <sys/types.h>

#include <functional>
#include <utility>

#include "base/time.h"
#include "main/line.h"

namespace sluice::main {

class Life {
 public:
  // Forks; the new process runs `work` with its end of the line and ends with the code that comes back.
  static Result<Life> begin(const std::function<int(Line&)>& work);

  pid_t pid() const { return pid_; }
  const Line& line() const { return line_; }
  Duration age() const { return Clock::system().now() - began_; }
  void say(Word word) const { line_.say(word); }
  // Takes in what it has said.
  void listen();
  // Whether it has passed on since the last call that settings are to be taken up.
  bool asks_for_settings() { return std::exchange(asks_for_settings_, false); }

  bool wants_store() const { return wants_store_; }
  bool has_let_go() const { return has_let_go_; }
  bool is_ready() const { return is_ready_; }
  bool has_left() const { return has_left_; }

 private:
  Life(pid_t pid, Line line) : pid_(pid), line_(std::move(line)), began_(Clock::system().now()) {}
  pid_t pid_;
  Line line_;
  Instant began_;
  bool wants_store_ = false, has_let_go_ = false, is_ready_ = false, has_left_ = false;
  bool asks_for_settings_ = false;
};

}  // namespace sluice::main
