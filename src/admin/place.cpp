// SPDX-License-Identifier: Apache-2.0
#include "admin/place.h"

#include <algorithm>

namespace sluice::admin {
namespace {

std::string join(const std::vector<std::string>& segments, std::size_t from, std::size_t to) {
  std::string path;
  for (std::size_t i = from; i < std::min(to, segments.size()); ++i)
    path.append(i > from ? "/" : "").append(segments[i]);
  return path;
}

// /consumers/NAME/credentials[/ID]
bool is_below(const model::Resource* resource, const std::vector<std::string>& segments) {
  const model::Resource* child = resource == nullptr ? nullptr : model::child_of(*resource);
  return child != nullptr && segments.size() > 2 && segments[2] == child->path;
}

}  // namespace

Place find_place(const std::vector<std::string>& segments, http::Method method) {
  Place place;
  if (segments.empty()) return place;
  const auto* resource = model::find_resource(segments[0]);
  const bool below = is_below(resource, segments);
  place.name = segments[below ? 2 : 0];
  if (below) {
    resource = model::child_of(*resource);
    place.above = segments[1] + "/" + segments[2] + "/";
  } else if (resource == nullptr || !resource->under.empty()) {
    return place;
  }
  const std::size_t at = below ? 3 : 1;  // of the id
  const std::size_t end = at + resource->id_parts;
  if (segments.size() > end && method != http::Method::patch) {
    place.name = segments[end];
    return place;
  }
  place.resource = resource;
  if (segments.size() >= end) place.id = join(segments, at, end);
  else if (segments.size() > at) place.above = join(segments, at, end) + "/";
  place.sub_path = join(segments, end, segments.size());
  return place;
}

}  // namespace sluice::admin
