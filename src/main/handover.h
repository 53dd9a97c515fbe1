// SPDX-License-Identifier: Apache-2.0
// What one program of the gateway leaves to the one that takes its place in the same process: the sockets it
// listens on, the processes that serve, the pid file, the settings in force. It is written into a file in
// memory whose descriptor is named in the environment, and outlives the exec with all that it names. Read by
// programs older and newer than the writer, so the form has a number. Supervisor, start of the process.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "main/listeners.h"

namespace sluice::main {

struct Handover {
  // A process that serves or finishes what it has.
  struct Served {
    pid_t pid = 0;
    int line = -1;
    Duration age = Duration::zero();
    std::string heard;  // the words it has said
    bool current = false;
  };

  std::string version;  // of the writer
  std::string program;  // the path the writer was started with
  int image = -1;       // the writer's own program, whatever stands at that path now
  int pid_file = -1;
  unsigned outcomes = 0;  // told so far
  std::string config;     // the settings in force, as YAML
  std::string refused;    // why the reader is put back to work by a successor that could not; "": it is one
  Listeners::Sockets sockets;
  std::vector<Served> served;

  std::vector<int> descriptors() const;  // all that it names
};

// The file in memory; the caller closes it.
Result<int> write_handover(const Handover& handover);
Result<Handover> read_handover(int file);

// The one that the environment of this process names, if it does: to see whether it can be read.
std::optional<Result<Handover>> given_handover();
// The same, for the program that takes it: from now on the environment is silent about it, and what it names
// is not left to the programs begun from here.
std::optional<Result<Handover>> take_handover();

// Exec, with all that the handover names left open. `file` is where the program is, `words` its command line.
// On return it could not be begun, and nothing has changed.
Error become(const std::string& file, const std::vector<std::string>& words, const Handover& handover);
// In a process forked for it: a program that may read the handover in `file_in_memory`, and gets nothing
// else.
Error try_on(const std::string& file, const std::vector<std::string>& words, int file_in_memory);

}  // namespace sluice::main
