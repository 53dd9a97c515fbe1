// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <ctime>

namespace sluice {
namespace {

std::int64_t read(clockid_t which) {
  timespec now{};
  ::clock_gettime(which, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  Instant now() const override { return Instant(Duration(read(CLOCK_MONOTONIC))); }
  std::int64_t wall() const override { return read(CLOCK_REALTIME); }
};

}  // namespace

const Clock& Clock::system() {
  static const SystemClock clock;
  return clock;
}

}  // namespace sluice
