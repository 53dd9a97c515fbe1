// SPDX-License-Identifier: Apache-2.0
// What the process may do: how many descriptors it may open, and as whom it serves when it was started as
// root. Start of the process.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"

namespace sluice::main {

// Raises the limit to `wanted` as far as the system lets it; warns in the log when that is not all of it.
void raise_descriptor_limit(std::uint64_t wanted);

// Whether `user` ("name" or "name group") is one of this system, where it matters: as root.
Result<> check_user(const std::string& user);

// As root: gives PREFIX/data and PREFIX/logs to `user` ("name" or "name group") and becomes that user, in all
// threads. Without a user it stays root and says so in the log. As anybody else nothing changes.
Result<> become_user(const std::string& user, const std::string& prefix);

}  // namespace sluice::main
