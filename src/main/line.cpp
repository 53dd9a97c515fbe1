// SPDX-License-Identifier: Apache-2.0
#include "main/line.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::main {

Result<std::pair<Line, Line>> Line::make() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fail(ErrorKind::system, system_message("socketpair", errno));
  return std::pair(Line(ends[0]), Line(ends[1]));
}

Line& Line::operator=(Line&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void Line::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void Line::say(Word word) const {
  // A word takes a byte of a buffer that holds thousands; what fails is an other side that is gone.
  [[maybe_unused]] const ssize_t sent = ::send(descriptor_, &word, 1, MSG_NOSIGNAL);
}

std::optional<Word> Line::hear() {
  char byte = 0;
  ssize_t got;
  do got = ::recv(descriptor_, &byte, 1, 0);
  while (got < 0 && errno == EINTR);
  if (got == 1) return static_cast<Word>(byte);
  if (got == 0 || errno != EAGAIN) close();
  return std::nullopt;
}

LineEvents::LineEvents(async::Loop& loop, Line& line, std::function<void(Word)> heard,
                       std::function<void()> ended)
    : loop_(loop), line_(line), descriptor_(line.descriptor()), heard_(std::move(heard)),
      ended_(std::move(ended)), handle_(loop.watch(descriptor_, *this)) {
  SLUICE_CHECK(handle_ != async::Loop::no_handle);
}

LineEvents::~LineEvents() { unwatch(); }

void LineEvents::unwatch() {
  if (handle_ != async::Loop::no_handle)
    loop_.unwatch(std::exchange(handle_, async::Loop::no_handle), descriptor_);
}

void LineEvents::on_ready(std::uint32_t) {
  while (const auto word = line_.hear()) heard_(*word);
  if (line_.descriptor() >= 0) return;
  unwatch();
  ended_();
}

}  // namespace sluice::main
