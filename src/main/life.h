// SPDX-License-Identifier: Apache-2.0
// A process that serves, as its supervisor sees it: its number, the line to it, and how far it has come. The
// supervisor owns it until the process has ended.
#pragma once
#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "main/line.h"

namespace sluice::main {

class Life {
 public:
  // Forks; the new process runs `work` with its end of the line and ends with the code that comes back.
  static Result<Life> begin(const std::function<int(Line&)>& work);
  // One that was begun by the program before this one; `heard` is what it has said since.
  static Life adopt(pid_t pid, Line line, Duration age, std::string_view heard);

  pid_t pid() const { return pid_; }
  const Line& line() const { return line_; }
  Duration age() const { return Clock::system().now() - began_; }
  void say(Word word) const { line_.say(word); }
  // Takes in what it has said.
  void listen();
  // Whether it has passed on since the last call that settings are to be taken up.
  bool asks_for_settings() { return std::exchange(asks_for_settings_, false); }

  bool wants_store() const { return has_said(Word::wants_store); }
  bool has_let_go() const { return has_said(Word::let_go); }
  bool is_ready() const { return has_said(Word::ready); }
  bool has_left() const { return has_said(Word::has_left); }
  const std::string& heard() const { return heard_; }

 private:
  Life(pid_t pid, Line line, Instant began) : pid_(pid), line_(std::move(line)), began_(began) {}
  bool has_said(Word word) const { return heard_.contains(static_cast<char>(word)); }
  pid_t pid_;
  Line line_;
  Instant began_;
  std::string heard_;  // each word once, in order
  bool asks_for_settings_ = false;
};

}  // namespace sluice::main
