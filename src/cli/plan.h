// SPDX-License-Identifier: Apache-2.0
// What has to change to make one configuration the other, and how a person reads that: YAML line by line,
// what goes and what comes. Pure functions.
#pragma once
#include <string>
#include <vector>

#include "cli/configuration.h"
#include "cli/screen.h"

namespace sluice::cli {

enum class Action : std::uint8_t { create, update, remove };
std::string_view name_of(Action action);  // "create", "update", "delete"

struct Change {
  Action action = Action::create;
  const Item* before = nullptr;  // null: it comes into being
  const Item* after = nullptr;   // null: it goes
  const Item& item() const { return after != nullptr ? *after : *before; }
};

struct Plan {
  std::vector<Change> changes;  // they refer to the configurations compared
  std::size_t same = 0;
  std::size_t only_there = 0;  // what `wanted` does not have and nobody asked to delete
};

enum class Prune : std::uint8_t { no, yes };
Plan make_plan(const Configuration& now, const Configuration& wanted, Prune prune);

// "+ routes/2" and its lines, "~ routes/1" and what differs with the lines around it, "- routes/3".
void show_change(Screen& screen, Action action, std::string_view name, const json::Value* before,
                 const json::Value* after);
// "1 to create, 2 to update, 0 to delete; 12 are the same".
std::string summary_of(const Plan& plan);
// {"changes": [{"resource", "action", "before", "after"}], …}
json::Value to_value(const Plan& plan);

// The lines of two texts, those that differ marked by '-' and '+', others by ' '; unchanged ones that are
// more than `around` lines away from a change are left out, a line "…" in their place.
std::vector<std::string> compare_lines(std::string_view before, std::string_view after, std::size_t around);

}  // namespace sluice::cli
