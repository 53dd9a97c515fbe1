// SPDX-License-Identifier: Apache-2.0
#include "admin/control.h"

#include <fmt/core.h>

#include <algorithm>

#include "admin/describe_api.h"
#include "admin/effective.h"
#include "admin/health_page.h"
#include "admin/listing.h"
#include "json/text.h"

namespace sluice::admin {
namespace {

using http::Method;
using json::Value;

constexpr std::size_t slice = 1000;  // entries read at once

// What a reference names is no secret.
plugin::SecretPlaces::Then mask(std::string& text, const std::string&, plugin::SecretPlaces::Of) {
  if (!json::is_secret_reference(text)) text = "***";
  return plugin::SecretPlaces::Then::keep;
}

http::Reply not_found() { return error_reply(404, "404 Route Not Found"); }

}  // namespace

async::Task<http::Reply> Control::handle(http::Request& request) {
  auto segments = split_path(request.path);
  auto word = [&](std::size_t i) {
    return i < segments.size() ? std::string_view(segments[i]) : std::string_view();
  };
  if (word(0) != "v1") return not_found();
  if (request.method_id == Method::post && word(1) == "gc") return http::Reply{200, {}, {}, {}};
  if (request.method_id == Method::put && word(1) == "plugins" && word(2) == "reload") {
    status_.take_up_settings();
    return text_reply(200, "done");
  }
  if (request.method_id != Method::get) return not_found();
  if (word(1) == "schema") return json_reply(200, all_schemas(validator_));
  if (word(1) == "healthcheck") {
    const bool page = request.headers.get("accept").find("text/html") != std::string_view::npos;
    return health(std::move(segments), page);
  }
  bool metadata = word(1) == "plugin_metadata" || word(1) == "plugin_metadatas";
  bool several = segments.size() == 2 && word(1).ends_with('s');
  const auto* resource = metadata  ? model::find_resource("plugin_metadata")
                         : several ? model::find_resource(word(1))
                                   : model::find_schema(word(1));
  if (!resource || !resource->under.empty()) return not_found();
  if (several) return list(*resource);
  if (segments.size() != 3) return not_found();
  return show(*resource, segments[2]);
}

// As it is in force; metadata stands alone, as a plugin sees it.
void Control::append(std::string& list, const store::Entry& entry) const {
  const auto [resource, id] = model::split_key(entry.key);
  auto stored = json::parse(shown(resource, entry.value, Hidden::left_out));
  if (!stored) return append_entry(list, entry, "null");
  Value in_force = effective(validator_, *resource, id, std::move(*stored));
  secret_places_.visit(*resource, id, in_force, mask);
  const std::string value = json::dump(in_force);
  if (resource->plugins == model::PluginUse::metadata) list += value;
  else append_entry(list, entry, value);
}

async::Task<http::Reply> Control::list(const model::Resource& resource) {
  const auto prefix = model::key_of(resource, "");
  std::string text = "[", after;
  for (bool more = true; more;) {
    auto page = co_await store_.list(prefix, after, slice);
    if (!page && !store_.standing().reachable) co_return list_held(prefix);
    if (!page) co_return error_reply(503, page.error().what);
    more = page->more;
    if (more) after = page->entries.back().key;
    for (const auto& entry : page->entries) {
      if (text.size() > 1) text += ',';
      append(text, entry);
    }
  }
  co_return json_text_reply(200, text + "]");
}

http::Reply Control::list_held(const std::string& prefix) {
  std::string text = "[";
  auto read = store_.scan(prefix, [&](store::Entry&& entry) {
    if (text.size() > 1) text += ',';
    append(text, entry);
  });
  if (!read) return error_reply(503, read.error().what);
  return json_text_reply(200, text + "]");
}

std::optional<store::Entry> Control::find_held(const std::string& key) {
  std::optional<store::Entry> found;
  (void)store_.scan(key, [&](store::Entry&& entry) {
    if (entry.key == key) found = std::move(entry);
  });
  return found;
}

async::Task<http::Reply> Control::show(const model::Resource& resource, std::string id) {
  auto key = model::key_of(resource, id);
  auto found = co_await store_.get(key);
  if (!found && !store_.standing().reachable) found = find_held(key);
  if (!found) co_return error_reply(503, found.error().what);
  const bool metadata = resource.plugins == model::PluginUse::metadata;
  if (!*found)
    co_return error_reply(404, fmt::format("{}[{}] not found",
                                           metadata ? "plugin metadata" : resource.schema_name, id));
  std::string text;
  append(text, **found);
  co_return json_text_reply(200, std::move(text));
}

async::Task<http::Reply> Control::health(std::vector<std::string> segments, bool page) {
  const auto told = [page](const Value& checkers, const Value& as_json) {
    if (page) return http::Reply{200, health_page(checkers), "text/html; charset=utf-8", {}};
    return json_reply(200, as_json);
  };
  auto all = status_.health();
  if (segments.size() == 2) co_return told(all, all);
  const auto& type = segments[2];
  if (segments.size() < 4) co_return error_reply(404, fmt::format("missing src id for src type {}", type));
  if (type != "routes" && type != "services" && type != "upstreams" && type != "stream_routes")
    co_return error_reply(400, fmt::format("invalid src type {}", type));
  const auto name = fmt::format("/{}/{}", type, segments[3]);
  for (const auto& checker : all.as_array()) {
    if (checker.text("name").ends_with(name)) co_return told(Value::array({checker}), checker);
  }
  const auto found = co_await store_.get(model::key_of(*model::find_resource(type), segments[3]));
  const bool there = found && *found;
  co_return error_reply(404, there ? fmt::format("no checker for {}[{}]", type, segments[3])
                                   : fmt::format("{}[{}] not found", type, segments[3]));
}

http::Reply status_reply(const plugin::Status& status, const http::Request& request) {
  bool asks = request.method_id == Method::get || request.method_id == Method::head;
  bool ready = request.path == "/status/ready";
  if (!asks || (request.path != "/status" && !ready)) return not_found();
  const bool fine = ready ? status.ready() : status.started();
  std::string_view why =
      ready ? "not every worker holds a configuration yet" : "the workers have not started yet";
  Value body =
      fine ? Value::object({{"status", "ok"}}) : Value::object({{"status", "error"}, {"error", why}});
  body.set("version", SLUICE_VERSION);
  if (const auto applied = status.applied_by_worker(); !applied.empty())
    body.set("applied_revision", *std::ranges::min_element(applied));
  if (auto store = status.store(); !store.is_null()) body.set("store", std::move(store));
  if (auto left_out = status.left_out(); !left_out.is_null()) body.set("left_out", std::move(left_out));
  return json_reply(fine ? 200 : 503, body);
}

}  // namespace sluice::admin
