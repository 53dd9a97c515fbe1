// SPDX-License-Identifier: Apache-2.0
// How two values differ, for people and programs to read: what the history and a trial of a write answer.
// Pure functions, any thread.
#pragma once
#include "json/value.h"

namespace sluice::json {

// [{"path": "/plugins/limit-count/count", "before": 2, "after": 5}, …]: a JSON pointer (RFC 6901; "" is the
// whole value) and what stands there on each side; a side where nothing stands has no such member. Objects
// are compared member by member, in the order of `before` and then of `after`; arrays of one length item by
// item, other arrays as a whole. Empty when the two are equal.
Value difference(const Value& before, const Value& after);

}  // namespace sluice::json
