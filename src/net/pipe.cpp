// SPDX-License-Identifier: Apache-2.0
#include "net/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

namespace sluice::net {

struct Pipe::Spare {
  std::vector<Ends> pipes;
  ~Spare() {
    for (const Ends& ends : pipes) shut(ends);
  }
  static void shut(const Ends& ends) {
    ::close(ends.out);
    ::close(ends.in);
  }
};

Pipe::Spare& Pipe::spare() {
  thread_local Spare spare;
  return spare;
}

bool Pipe::need() {
  if (ends_.out >= 0) return true;
  auto& pipes = spare().pipes;
  if (!pipes.empty()) {
    ends_ = pipes.back();
    pipes.pop_back();
    return true;
  }
  int both[2];
  if (::pipe2(both, O_NONBLOCK | O_CLOEXEC) != 0) return false;
  ends_ = {both[0], both[1]};
  return true;
}

void Pipe::release() {
  if (ends_.out < 0) return;
  auto& pipes = spare().pipes;
  if (empty() && pipes.size() < spare_max) pipes.push_back(ends_);
  else Spare::shut(ends_);
  ends_ = {};
  size_ = 0;
}

}  // namespace sluice::net
