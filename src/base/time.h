// SPDX-License-Identifier: Apache-2.0
// Time as the gateway uses it: `Instant` for deadlines and latencies (monotonic), wall time only where a
// person or a protocol reads it. `Clock` is the one source; tests put a `ManualClock` in its place.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using namespace std::chrono_literals;

inline constexpr Instant never = Instant::max();

// `from + wait`, which stays `never` when the wait is longer than time.
constexpr Instant after(Instant from, Duration wait) { return wait >= never - from ? never : from + wait; }

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  // Nanoseconds since 1970-01-01T00:00:00Z.
  virtual std::int64_t wall() const = 0;

  static const Clock& system();
};

// Stands still until told otherwise.
class ManualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  std::int64_t wall() const override { return 1'700'000'000'000'000'000 + now_.time_since_epoch().count(); }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{std::chrono::hours(1)};
};

// Seconds since 1970 of a date as HTTP writes it ("Sun, 06 Nov 1994 08:49:37 GMT", RFC 9110 §5.6.7); nothing
// when it is none.
std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace sluice
