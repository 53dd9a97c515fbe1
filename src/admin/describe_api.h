// SPDX-License-Identifier: Apache-2.0
// What the Admin API tells about itself without the store: names and schemas of plugins and resources, and
// whether a body or a whole configuration would be accepted. Functions over the validator; control thread.
#pragma once
#include "admin/call.h"
#include "plugin/status.h"
#include "plugin/validator.h"

namespace sluice::admin {

// The schema of a plugin's config as an operator writes it, with `_meta`.
json::Value plugin_schema(const plugin::PluginType& type);
// {"version","priority","schema","summary","example"[,"consumer_schema","metadata_schema","type"]}
json::Value plugin_card(const plugin::PluginType& type);
// {"main": {resource: schema}, "plugins": {name: card}, "stream_plugins": {}}, as the control API shows it.
json::Value all_schemas(const plugin::Validator& validator);

// Below /plugins, /schema and /configs; `call.segments` begins with that word. No value: it is none of these.
std::optional<http::Reply> describe(const plugin::Validator& validator, plugin::Status& status,
                                    const Call& call);

}  // namespace sluice::admin
