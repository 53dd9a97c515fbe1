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

// The number that all of `text` is, -1 when it is none.
int number_of(std::string_view text) {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return text.empty() ? -1 : number;
}

}  // namespace

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  constexpr std::string_view form = "Sun, 06 Nov 1994 08:49:37 GMT";
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != form.size() || text.substr(25) != " GMT") return std::nullopt;
  for (const std::size_t at : {3, 4, 7, 11, 16, 19, 22}) {
    if (text[at] != form[at]) return std::nullopt;
  }
  const std::size_t month = months.find(text.substr(8, 3));
  const int day = number_of(text.substr(5, 2)), year = number_of(text.substr(12, 4));
  const int hour = number_of(text.substr(17, 2)), minute = number_of(text.substr(20, 2)),
            second = number_of(text.substr(23, 2));
  if (month == std::string_view::npos || month % 3 != 0 || year < 0 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                         std::chrono::day(static_cast<unsigned>(day < 0 ? 0 : day)));
  if (!date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::seconds(days).count() + hour * 3600 + minute * 60 + second;
}

const Clock& Clock::system() {
  static const SystemClock clock;
  return clock;
}

}  // namespace sluice
