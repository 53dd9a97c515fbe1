// SPDX-License-Identifier: Apache-2.0
// ${{NAME}} and ${{NAME:=otherwise}} in files that an operator writes: the environment's value stands in
// their place. A name that is not set and has no otherwise is a problem. Any thread, while nobody sets
// variables.
#pragma once
#include <string>
#include <string_view>

#include "json/findings.h"
#include "json/value.h"

namespace sluice::json {

// In every text and key of `value`, whose JSON pointer is `path`; a text becomes a number or a truth where it
// is one then.
void resolve_environment(Value& value, const std::string& path, Findings& findings);
// In a text that is yet to be parsed, so that its quotes decide about types.
std::string resolve_environment_in(std::string_view text, Findings& findings);

}  // namespace sluice::json
