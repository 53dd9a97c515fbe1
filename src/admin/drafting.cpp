// SPDX-License-Identifier: Apache-2.0
#include "admin/drafting.h"

#include <fmt/core.h>

#include "json/text.h"

namespace sluice::admin {
namespace {

using json::Value;
using model::Resource;

// A member that names the resource, as text; empty when there is none.
std::string named_in(const Value& body, std::string_view member) {
  const Value* value = body.find(member);
  if (!value) return {};
  if (value->is_string()) return value->as_string();
  return json::dump(*value);
}

Refusal identify(const Place& place, Value& body, std::string& id) {
  const Resource& resource = *place.resource;
  const auto& in_path = place.id;
  if (resource.key != "id") {
    id = named_in(body, resource.key);
    if (!in_path.empty() && !id.empty() && in_path != id) return fmt::format("wrong {}", resource.key);
    return std::nullopt;
  }
  const bool by_plugin = resource.plugins == model::PluginUse::metadata;
  const auto in_body = by_plugin ? std::string() : named_in(body, "id");
  const auto own = in_path.empty() ? in_body : in_path;
  if (own.empty()) return by_plugin ? "missing plugin name" : fmt::format("missing {} id", resource.kind);
  if (!in_body.empty() && in_body != own) return fmt::format("wrong {} id", resource.kind);
  if (body.is_object() && (!in_path.empty() || by_plugin)) body.set("id", own);
  id = place.above + own;
  return std::nullopt;
}

Refusal merge(const Place& place, const Value& change, Value& body) {
  if (place.sub_path.empty()) {
    if (!change.is_object()) return "invalid configuration";
    json::merge_patch(body, change);
    return std::nullopt;
  }
  auto patched = json::patch_path(body, place.sub_path, change);
  if (!patched) return patched.error().what;
  return std::nullopt;
}

}  // namespace

Refusal draft_put(const Place& place, Value body, Draft& draft) {
  draft.resource = place.resource;
  if (auto refusal = identify(place, body, draft.id)) return refusal;
  draft.body = std::move(body);
  return std::nullopt;
}

Refusal draft_patch(const Place& place, const Value& change, Draft& draft) {
  draft.resource = place.resource;
  draft.id = place.id;
  auto body = json::parse(draft.previous->value);
  if (!body) return fmt::format("{} is stored damaged: {}", draft.previous->key, body.error().what);
  if (auto refusal = merge(place, change, *body)) return refusal;
  if (named_in(*body, place.resource->key) != draft.id)
    return fmt::format("wrong {} id", place.resource->kind);
  if (place.resource->key == "id") body->set("id", draft.id);
  draft.body = std::move(*body);
  draft.only_if_unchanged = true;
  draft.keeps_times = true;
  draft.sets_update_time = !place.sub_path.empty() || !change.find("update_time");
  return std::nullopt;
}

}  // namespace sluice::admin
