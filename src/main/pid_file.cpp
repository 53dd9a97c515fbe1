// SPDX-License-Identifier: Apache-2.0
#include "main/pid_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

namespace sluice::main {
namespace {

pid_t read_number(int descriptor) {
  char text[32];
  const ssize_t size = ::pread(descriptor, text, sizeof text, 0);
  pid_t number = 0;
  if (size > 0) std::from_chars(text, text + size, number);
  return number;
}

}  // namespace

PidFile::PidFile(std::string path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor), owner_(::getpid()) {}

PidFile::PidFile(PidFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      owner_(other.owner_) {}

PidFile::~PidFile() {
  if (descriptor_ < 0) return;
  if (owner_ == ::getpid()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

Result<PidFile> PidFile::take(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return fail(ErrorKind::system, system_message("cannot write " + path, errno));
  PidFile file(path, descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    file.owner_ = 0;  // not ours to remove
    return fail(ErrorKind::conflict, "a gateway runs already on this prefix (process " +
                                         std::to_string(read_number(descriptor)) + ", " + path +
                                         "): stop it first, or give this one a prefix of its own");
  }
  const std::string number = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, number.data(), number.size(), 0) != static_cast<ssize_t>(number.size())) {
    return fail(ErrorKind::system, system_message("cannot write " + path, errno));
  }
  return file;
}

Result<PidFile> PidFile::adopt(const std::string& path, int descriptor) {
  PidFile file(path, descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && read_number(descriptor) == file.owner_) return file;
  file.owner_ = 0;
  return fail(ErrorKind::conflict, path + " is not the file of this process");
}

pid_t PidFile::holder(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0;
  const pid_t number = held ? read_number(descriptor) : 0;
  ::close(descriptor);
  return number;
}

}  // namespace sluice::main
