// SPDX-License-Identifier: Apache-2.0
// How the Admin API tells of changes: names of resources, times, what a change did, before, after and the
// difference. Shared by the history, by transactions and by trials of writes. Pure functions, any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"

namespace sluice::admin {

// "routes/1" of "/apisix/routes/1", and back.
std::string_view resource_name(std::string_view key);
std::string key_of_name(std::string_view name);

// "2026-11-25T09:12:33.123Z" of Unix milliseconds, and back (RFC 3339 in UTC; a fraction may be absent).
std::string time_text(std::int64_t at_ms);
std::optional<std::int64_t> parse_time(std::string_view text);

// "create", "update" or "delete".
std::string_view action_of(bool existed, bool exists);

// {"resource": "routes/1", "action": "update", "before": …, "after": …, "diff": […]}, where there is a
// before, an after, and both. Texts that are no JSON are shown as they are; members that a reading of the
// resource hides are hidden here too, and a line of the difference then has "hidden" in place of values.
json::Value describe_change(std::string_view key, const std::optional<std::string>& before,
                            const std::optional<std::string>& after);

}  // namespace sluice::admin
