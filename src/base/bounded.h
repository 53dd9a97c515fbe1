// SPDX-License-Identifier: Apache-2.0
// Amounts that an operator, a server or a client wrote, as they can be reckoned with: a wait that is longer
// than any process lives is `longest_wait`, a number that no int64 holds is the nearest that may still be
// added to a time. Pure functions.
#pragma once
#include <algorithm>
#include <concepts>
#include <cstdint>

#include "base/time.h"

namespace sluice {

inline constexpr Duration longest_wait = std::chrono::hours(24 * 3650);

constexpr Duration bounded_seconds(std::int64_t count) {
  constexpr std::int64_t most = longest_wait / std::chrono::seconds(1);
  return std::chrono::seconds(std::clamp<std::int64_t>(count, 0, most));
}
template <std::floating_point Number>
constexpr Duration bounded_seconds(Number count) {
  constexpr double most = std::chrono::duration<double>(longest_wait).count();
  if (count != count) return Duration::zero();
  const std::chrono::duration<double> wait(std::clamp<double>(count, 0, most));
  return std::chrono::duration_cast<Duration>(wait);
}
constexpr Duration bounded_milliseconds(std::int64_t count) {
  constexpr std::int64_t most = longest_wait / std::chrono::milliseconds(1);
  return std::chrono::milliseconds(std::clamp<std::int64_t>(count, 0, most));
}

// Without its fraction; 0 when it is no number.
constexpr std::int64_t bounded_whole(double number) {
  constexpr double most = 1e15;
  if (number != number) return 0;
  return static_cast<std::int64_t>(std::clamp(number, -most, most));
}
// The same of what is whole already.
constexpr std::int64_t bounded_whole(std::int64_t number) {
  constexpr std::int64_t most = 1'000'000'000'000'000;
  return std::clamp(number, -most, most);
}

}  // namespace sluice
