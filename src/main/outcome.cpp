// SPDX-License-Identifier: Apache-2.0
#include "main/outcome.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <fstream>

#include "base/log.h"

namespace sluice::main {
namespace {

std::string path_of(const std::string& prefix) { return prefix + "/logs/reload"; }

void add_changes(const json::Value* before, const json::Value* now, const std::string& path,
                 std::string& out) {
  if (before != nullptr && now != nullptr && *before == *now) return;
  const bool inside = (before == nullptr || before->is_object()) && (now == nullptr || now->is_object());
  if (!inside) {
    out += (out.empty() ? "" : ", ") + path;
    return;
  }
  if (before != nullptr) {
    for (const auto& [key, value] : before->as_object())
      add_changes(&value, now == nullptr ? nullptr : now->find(key), path + "/" + key, out);
  }
  if (now == nullptr) return;
  for (const auto& [key, value] : now->as_object()) {
    if (before == nullptr || before->find(key) == nullptr)
      add_changes(nullptr, &value, path + "/" + key, out);
  }
}

}  // namespace

void tell_outcome(const std::string& prefix, const Outcome& outcome) {
  const std::string path = path_of(prefix), fresh = path + ".new";
  ::unlink(fresh.c_str());  // the folder may belong to the user the gateway serves as: no link is followed
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  const std::string text =
      std::to_string(outcome.number) + (outcome.applied ? " applied " : " refused ") + outcome.what + "\n";
  const bool written =
      descriptor >= 0 && ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (descriptor >= 0) ::close(descriptor);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) log::error("cannot write {}", path);
}

void forget_outcome(const std::string& prefix) { ::unlink(path_of(prefix).c_str()); }

std::optional<Outcome> read_outcome(const std::string& prefix) {
  std::ifstream in(path_of(prefix));
  Outcome outcome;
  std::string word;
  if (!(in >> outcome.number >> word) || !std::getline(in >> std::ws, outcome.what)) return std::nullopt;
  outcome.applied = word == "applied";
  return outcome;
}

std::optional<Outcome> await_outcome(const std::string& prefix, unsigned known, Duration patience) {
  const int changes = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  ::inotify_add_watch(changes, (prefix + "/logs").c_str(), IN_MOVED_TO);
  const Instant end = after(Clock::system().now(), patience);
  std::optional<Outcome> outcome;
  for (;;) {
    outcome = read_outcome(prefix);
    if (outcome && outcome->number > known) break;
    outcome.reset();
    const Duration left = end - Clock::system().now();
    if (left <= Duration::zero()) break;
    pollfd change{changes, POLLIN, 0};
    ::poll(&change, 1, static_cast<int>(left / std::chrono::milliseconds(1)) + 1);
    char events[4096];
    while (::read(changes, events, sizeof events) > 0) {
    }
  }
  ::close(changes);
  return outcome;
}

std::string changed_keys(const json::Value& before, const json::Value& now) {
  std::string out;
  add_changes(&before, &now, "", out);
  return out;
}

}  // namespace sluice::main
