// SPDX-License-Identifier: Apache-2.0
// What a call of the Admin API is about: which kind of resource, which one of it, and what of the path is
// left. The segments are read here and nowhere else. Control thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "model/resources.h"

namespace sluice::admin {

struct Place {
  const model::Resource* resource = nullptr;  // null: `name` is no kind of resource
  std::string name;      // the segment that should name it
  std::string above;     // what stands before the id in keys: "jack/credentials/"; mostly empty
  std::string id;        // as the path says it; empty: all of them
  std::string sub_path;  // with PATCH: a member, "plugins/limit-count"

  std::string key() const { return model::key_of(*resource, above + id); }
};

// `segments` of the path behind the API's prefix.
Place find_place(const std::vector<std::string>& segments, http::Method method);

}  // namespace sluice::admin
