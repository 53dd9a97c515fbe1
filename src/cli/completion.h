// SPDX-License-Identifier: Apache-2.0
// Scripts with which bash and zsh complete `sluice`, made from the tables of verbs and kinds, so that nobody
// has to keep them up. Pure functions, any thread.
#pragma once
#include <span>
#include <string>

#include "cli/verbs.h"

namespace sluice::cli {

// `more`: verbs besides those of cli/verbs.h.
std::string bash_completion(std::span<const Verb> more);
std::string zsh_completion(std::span<const Verb> more);

}  // namespace sluice::cli
