// SPDX-License-Identifier: Apache-2.0
// Lists of resources: read from the store in slices, filtered (`name`, `uri`, `label`, `filter`) and paged.
// Entries are copied as text; only a filter makes them be parsed. Control thread.
#pragma once
#include "admin/call.h"
#include "model/resources.h"
#include "store/store.h"

namespace sluice::admin {

// The text of a resource as everybody may see it. What its kind hides is left out where it is read; where it
// is written, clients of APISIX look for the members and find "***" in place of each text.
enum class Hidden : std::uint8_t { left_out, masked };
std::string shown(const model::Resource* resource, const std::string& text, Hidden hidden);

// {"key":…,"value":…,"createdIndex":…,"modifiedIndex":…}, without what its kind hides.
void append_entry(std::string& out, const store::Entry& entry);
// The same with another text of its value.
void append_entry(std::string& out, const store::Entry& entry, std::string_view value);

// {"list":[…],"total":N} of the kind that `call.place` names; 404 when nothing belongs to its owner. `store`
// outlives the task.
async::Task<http::Reply> list_resources(store::Store& store, Call call);

}  // namespace sluice::admin
