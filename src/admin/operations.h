// SPDX-License-Identifier: Apache-2.0
// The body of a transaction, read: operations on resources, each to be drafted upon what those before it have
// made. Every problem gets the operation's path. One call, control thread.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "admin/change_set.h"
#include "admin/place.h"
#include "json/findings.h"
#include "json/value.h"

namespace sluice::admin {

struct Operation {
  enum class Kind : std::uint8_t { put, patch, remove };
  Kind kind = Kind::put;
  Place place;
  json::Value value;
  std::optional<store::Revision> if_revision;  // of the resource; 0: it is not there
  std::string path;                            // "/operations/3"
};

struct Operations {
  std::vector<Operation> list;
  std::optional<store::Revision> if_revision;  // of the whole store
};

// {"operations": [{"op", "resource", "value", "if_revision"}, …], "if_revision"}, or the list alone.
Operations read_operations(const json::Value& body, std::size_t count_max, json::Findings& findings);

// Adds to `changes` what `operation` makes of what is `stored`, or of what the operations before it have made
// of that. False when its `if_revision` does not hold.
bool add_draft(const Operation& operation, std::optional<store::Entry> stored, ChangeSet& changes,
               json::Findings& findings);

}  // namespace sluice::admin
