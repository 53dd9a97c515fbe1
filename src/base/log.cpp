// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <mutex>

namespace sluice::log {
namespace {

constexpr std::array<std::string_view, 8> names{"debug", "info", "notice", "warn",
                                                "error", "crit", "alert",  "emerg"};

std::atomic<Level> least_level{Level::notice};
std::atomic<int> descriptor{STDERR_FILENO};
std::mutex path_mutex;  // guards `path` and the swap of `descriptor`
std::string path;

}  // namespace

Result<> open(std::string new_path) {
  std::lock_guard lock(path_mutex);
  if (new_path == "stderr") new_path.clear();
  int fresh = STDERR_FILENO;
  if (!new_path.empty()) {
    fresh = ::open(new_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fresh < 0) return fail(ErrorKind::system, system_message("open " + new_path, errno));
  }
  int old = descriptor.load();
  if (old != STDERR_FILENO && fresh != STDERR_FILENO) {
    ::dup3(fresh, old, O_CLOEXEC);  // writers that hold the number go on, into the new file
    ::close(fresh);
  } else {
    descriptor.store(fresh);  // an earlier file stays open: another thread may be writing to it
  }
  path = std::move(new_path);
  return {};
}

Result<> reopen() {
  std::string current;
  {
    std::lock_guard lock(path_mutex);
    current = path;
  }
  return open(std::move(current));
}

void set_level(Level least) { least_level.store(least, std::memory_order_relaxed); }
bool enabled(Level level) { return level >= least_level.load(std::memory_order_relaxed); }

bool parse_level(std::string_view word, Level& level) {
  if (word == "err") word = "error";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] != word) continue;
    level = static_cast<Level>(i);
    return true;
  }
  return false;
}

void write(Level level, std::string_view message) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  ::localtime_r(&now.tv_sec, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y/%m/%d %H:%M:%S", &parts);
  auto text = fmt::format("{} [{}] {}#{}: {}\n", stamp, names[static_cast<std::size_t>(level)], ::getpid(),
                          ::syscall(SYS_gettid), message);
  [[maybe_unused]] auto written = ::write(descriptor.load(), text.data(), text.size());
}

}  // namespace sluice::log
