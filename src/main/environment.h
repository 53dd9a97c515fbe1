// SPDX-License-Identifier: Apache-2.0
// ${{NAME}} and ${{NAME:=otherwise}} in the texts of config.yaml: the environment's value stands in their
// place, as a number or a truth where it is one. A name that is not set and has no otherwise is a problem.
// Start of the process.
#pragma once
#include "json/findings.h"
#include "json/value.h"

namespace sluice::main {

// `path` is the JSON pointer of `value`.
void resolve_environment(json::Value& value, const std::string& path, json::Findings& findings);

}  // namespace sluice::main
