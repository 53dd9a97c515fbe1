// SPDX-License-Identifier: Apache-2.0
// The error log: one line a message, appended with a single write so that threads never interleave. Levels
// are nginx's. The file can be reopened (log rotation) at any time from any thread. Nothing here is for the
// data path: the access log has its own buffers.
#pragma once
#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice::log {

enum class Level : std::uint8_t { debug, info, notice, warn, error, crit, alert, emerg };

// Sends lines to `path` ("" or "stderr": standard error) from now on.
Result<> open(std::string path);
// Opens the same path again, after a rotation.
Result<> reopen();
void set_level(Level least);
bool enabled(Level level);
// "warn", "error", …; false when the word is none of nginx's levels.
bool parse_level(std::string_view word, Level& level);

void write(Level level, std::string_view message);

template <class... Args>
void line(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::notice, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::error, format, std::forward<Args>(args)...);
}
template <class... Args>
void alert(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::alert, format, std::forward<Args>(args)...);
}

}  // namespace sluice::log
