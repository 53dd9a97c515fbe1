// SPDX-License-Identifier: Apache-2.0
#include "main/signals.h"

#include <csignal>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/result.h"

namespace sluice::main {

Signals::Signals(async::Loop& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal)
    : loop_(loop), on_signal_(std::move(on_signal)) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  SLUICE_CHECK(descriptor_ >= 0);
  handle_ = loop_.watch(descriptor_, *this);
}

Signals::~Signals() {
  loop_.unwatch(handle_, descriptor_);
  ::close(descriptor_);
}

void Signals::on_ready(std::uint32_t) {
  signalfd_siginfo info;
  while (::read(descriptor_, &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
}

}  // namespace sluice::main
