// SPDX-License-Identifier: Apache-2.0
#include "main/upgrade_request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/text.h"

namespace sluice::main {
namespace {

std::string path_of(const std::string& prefix) { return prefix + "/logs/upgrade"; }

}  // namespace

Result<> request_program(const std::string& prefix, const std::string& program) {
  const std::string path = path_of(prefix);
  ::unlink(path.c_str());
  if (program.empty()) return {};
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  const bool written =
      file >= 0 && ::write(file, program.data(), program.size()) == static_cast<ssize_t>(program.size());
  const int why = errno;
  if (file >= 0) ::close(file);
  if (!written) return fail(ErrorKind::system, system_message("cannot write " + path, why));
  return {};
}

std::optional<Result<std::string>> take_requested_program(const std::string& prefix) {
  const std::string path = path_of(prefix);
  const int file = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::nullopt;
  struct stat about {};
  const bool known = file >= 0 && ::fstat(file, &about) == 0;
  char text[PATH_MAX];
  const ssize_t size = known ? ::read(file, text, sizeof text) : -1;
  if (file >= 0) ::close(file);
  ::unlink(path.c_str());
  const bool ours = known && S_ISREG(about.st_mode) && about.st_nlink == 1 &&
                    (about.st_uid == 0 || about.st_uid == ::geteuid()) && (about.st_mode & 022) == 0;
  if (!ours || size <= 0 || text[0] != '/')
    return fail(ErrorKind::conflict, path + " was not written by `sluice upgrade` of this user or of root");
  return std::string(text, static_cast<std::size_t>(size));
}

bool understands_upgrade(pid_t supervisor) {
  std::ifstream in("/proc/" + std::to_string(supervisor) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("SigBlk:")) continue;
    return (std::strtoull(line.c_str() + 7, nullptr, 16) >> (SIGUSR2 - 1) & 1) != 0;
  }
  return false;
}

std::string program_called(const char* word) {
  std::error_code error;
  if (std::string_view(word).contains('/'))
    return std::filesystem::absolute(word, error).lexically_normal().string();
  const char* path = std::getenv("PATH");
  for (const std::string_view folder : Split(path == nullptr ? "" : path, ':')) {
    const std::string program = std::string(folder) + "/" + word;
    if (folder.starts_with('/') && ::access(program.c_str(), X_OK) == 0) return program;
  }
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

}  // namespace sluice::main
