// SPDX-License-Identifier: Apache-2.0
// How a reload or an upgrade went, from the supervisor to who asked for it: PREFIX/logs/reload, replaced as a
// whole. Start and command line.
#pragma once
#include <optional>
#include <string>

#include "base/time.h"
#include "json/value.h"

namespace sluice::main {

struct Outcome {
  unsigned number = 0;  // of reloads and upgrades since the start
  bool applied = false;
  std::string what;  // one sentence for the operator
};

void tell_outcome(const std::string& prefix, const Outcome& outcome);
void forget_outcome(const std::string& prefix);
std::optional<Outcome> read_outcome(const std::string& prefix);
// The first with a number above `known`, if there is one within `patience`.
std::optional<Outcome> await_outcome(const std::string& prefix, unsigned known, Duration patience);

// The JSON pointers of what differs between two configuration files, by commas; the values are not told.
std::string changed_keys(const json::Value& before, const json::Value& now);

}  // namespace sluice::main
