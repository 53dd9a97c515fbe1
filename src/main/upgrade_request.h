// SPDX-License-Identifier: Apache-2.0
// What `sluice upgrade` asks of the supervisor: SIGUSR2, and beside it PREFIX/logs/upgrade when it is to
// become another program than the one at the path it was started with. That folder may belong to the user the
// gateway serves as, who must not choose what root runs: a file that is not the supervisor's user's or root's
// is refused. Command line and supervisor.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace sluice::main {

// `program` is an absolute path, or "" for the one that the supervisor was started with.
Result<> request_program(const std::string& prefix, const std::string& program);
// Takes the file away: an absolute path, or nothing when nobody asked for a program.
std::optional<Result<std::string>> take_requested_program(const std::string& prefix);

// Whether the gateway in that process understands SIGUSR2, by which others would end.
bool understands_upgrade(pid_t supervisor);

// The absolute path of the program that was called as `word`.
std::string program_called(const char* word);

}  // namespace sluice::main
