// SPDX-License-Identifier: Apache-2.0
// The line between the supervisor and a process that serves: words of one byte over a pair of sockets. The
// store has one owner, so a process that takes another's place asks for it and waits; the end of the line is
// the end of the other side. Each end is used by one thread.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "async/loop.h"
#include "base/result.h"

namespace sluice::main {

enum class Word : char {
  // from the process that serves
  wants_store = 'w',  // all that can fail without it has been done
  let_go = 'g',       // it has no store any more; traffic goes on
  ready = 'r',        // it takes connections
  has_left = 'e',     // it takes none any more
  file_may_differ = 'c',  // somebody asks that changed settings are taken up
  // from the supervisor
  let_go_of_store = 's',  // another process is to take it
  store_is_free = 'f',
  leave = 'l',  // another process takes connections now: finish what is under way, and end
};

class Line {
 public:
  static Result<std::pair<Line, Line>> make();
  // An end that was open before this program began; -1: it was closed.
  static Line adopt(int descriptor) { return Line(descriptor); }
  Line(Line&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Line& operator=(Line&& other) noexcept;
  ~Line() { close(); }

  int descriptor() const { return descriptor_; }  // -1: closed
  void close();
  void say(Word word) const;  // an other side that is gone hears nothing
  // The next word that is there: nothing when there is none yet. At the end of the line it is closed.
  std::optional<Word> hear();

 private:
  explicit Line(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// The end of a process that serves, on its control loop.
class LineEvents final : public async::Pollable {
 public:
  // `ended` is called when the supervisor is gone. Loop and line outlive this.
  LineEvents(async::Loop& loop, Line& line, std::function<void(Word)> heard, std::function<void()> ended);
  ~LineEvents();
  void on_ready(std::uint32_t events) override;

 private:
  void unwatch();
  async::Loop& loop_;
  Line& line_;
  int descriptor_;
  std::function<void(Word)> heard_;
  std::function<void()> ended_;
  async::Loop::Handle handle_;
};

}  // namespace sluice::main
