// SPDX-License-Identifier: Apache-2.0
// How what an operator wrote becomes a draft: which resource it names, and what a PATCH makes of it. An error
// is the sentence that APISIX says. Pure functions, control thread.
#pragma once
#include <optional>
#include <string>

#include "admin/change_set.h"
#include "admin/place.h"

namespace sluice::admin {

using Refusal = std::optional<std::string>;

// PUT: finds the id in the path and in the body, in APISIX's order of complaints; the body then has it too.
Refusal draft_put(const Place& place, json::Value body, Draft& draft);
// PATCH: `draft.previous` is there. Merges `change`, or puts it at the path's member.
Refusal draft_patch(const Place& place, const json::Value& change, Draft& draft);

}  // namespace sluice::admin
