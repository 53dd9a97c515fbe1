// SPDX-License-Identifier: Apache-2.0
// PREFIX/logs/sluice.pid: who runs on this prefix. The file is locked for as long as the process lives, so a
// number left behind by a crash is never taken for a process. Start and command line.
#pragma once
#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace sluice::main {

class PidFile {
 public:
  // Writes the calling process's number. The error names the process that runs already.
  static Result<PidFile> take(const std::string& path);
  // The file that the program before this one took in the same process, by its descriptor.
  static Result<PidFile> adopt(const std::string& path, int descriptor);
  int descriptor() const { return descriptor_; }
  // The process that holds the file; 0 when none does.
  static pid_t holder(const std::string& path);

  PidFile(PidFile&& other) noexcept;
  PidFile(const PidFile&) = delete;
  // Removes the file if this process wrote it.
  ~PidFile();

 private:
  PidFile(std::string path, int descriptor);
  std::string path_;
  int descriptor_;
  pid_t owner_;
};

}  // namespace sluice::main
