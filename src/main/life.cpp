// SPDX-License-Identifier: Apache-2.0
#include "main/life.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace sluice::main {

Result<Life> Life::begin(const std::function<int(Line&)>& work) {
  auto ends = Line::make();
  if (!ends) return std::unexpected(ends.error());
  auto& [ours, theirs] = *ends;
  const pid_t pid = ::fork();
  if (pid < 0) return fail(ErrorKind::system, system_message("fork", errno));
  if (pid == 0) {
    ours.close();
    std::exit(work(theirs));
  }
  return Life(pid, std::move(ours), Clock::system().now());
}

Life Life::adopt(pid_t pid, Line line, Duration age, std::string_view heard) {
  Life life(pid, std::move(line), Clock::system().now() - age);
  life.heard_ = heard;
  return life;
}

void Life::listen() {
  if (line_.descriptor() < 0) return;
  while (const auto word = line_.hear()) {
    if (*word == Word::file_may_differ) asks_for_settings_ = true;
    else if (!has_said(*word)) heard_ += static_cast<char>(*word);
  }
}

}  // namespace sluice::main
