// SPDX-License-Identifier: Apache-2.0
#include "plugin/syslog_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace sluice::plugin {
namespace {

constexpr int facility_syslog = 5, severity_info = 6;
constexpr int priority = facility_syslog * 8 + severity_info;
constexpr std::size_t host_bytes_max = 255;  // RFC 5424 §6.2.4

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::string syslog_line(std::int64_t wall, std::string_view host, std::string_view message) {
  const auto seconds = static_cast<std::time_t>(wall / 1'000'000'000);
  std::tm time{};
  gmtime_r(&seconds, &time);
  char stamp[24];
  std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &time);
  if (host.empty() || host.size() > host_bytes_max || !is_printable(host)) host = "-";
  return fmt::format("<{}>1 {}.{:03}Z {} apisix {} - - {}\n", priority, stamp, wall / 1'000'000 % 1000, host,
                     ::getpid(), message);
}

}  // namespace sluice::plugin
