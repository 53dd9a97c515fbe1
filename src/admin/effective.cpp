// SPDX-License-Identifier: Apache-2.0
#include "admin/effective.h"

#include <string>
#include <utility>

#include "plugin/meta.h"

namespace sluice::admin {
namespace {

using json::Value;
using model::PluginUse;
using plugin::PluginType;

// Adds what is in `full` alone. An empty default says nothing.
void fill(Value& stored, Value full) {
  if (!stored.is_object() || !full.is_object()) return;
  for (auto& [name, member] : full.as_object()) {
    if (Value* own = stored.find(name)) {
      fill(*own, std::move(member));
    } else if (member.is_object()) {
      Value inner = Value::object();
      fill(inner, std::move(member));
      if (!inner.as_object().empty()) stored.set(name, std::move(inner));
    } else if (member.is_string() ? !member.as_string().empty()
                                  : !member.is_array() || !member.as_array().empty()) {
      stored.set(name, std::move(member));
    }
  }
}

Value full_plugin(const plugin::ConfigType& type, const Value& config) {
  json::Findings findings;
  json::Reader reader(findings);
  reader.let_references_stand();
  Value own;
  plugin::Meta meta;
  if (type.written == nullptr || !plugin::split_meta(config, own, meta, reader)) return {};
  return type.written(own, reader);
}

void fill_plugins(const plugin::Validator& validator, PluginUse use, Value& plugins) {
  if (!plugins.is_object()) return;
  const bool stream = use == PluginUse::stream;
  const bool consumers = use == PluginUse::consumer || use == PluginUse::credential;
  for (auto& [name, config] : plugins.as_object()) {
    const PluginType* type =
        validator.find(name, stream ? plugin::Subsystem::stream : plugin::Subsystem::http);
    if (type == nullptr || !config.is_object()) continue;
    fill(config, full_plugin(consumers && type->consumer.check ? type->consumer : type->config, config));
    if (config.find("_meta") == nullptr) config.set("_meta", Value::object());
  }
}

// A map of nodes becomes the list that it is read as, in which IPv6 addresses have brackets. Addresses and
// weights are all that it says.
void list_nodes(Value& upstream, const Value& full) {
  const Value* written = upstream.find("nodes");
  const Value* read = full.find("nodes");
  if (written == nullptr || !written->is_object() || read == nullptr || !read->is_array()) return;
  Value list = *read;
  for (Value& node : list.as_array()) {
    node.erase("priority");
    const std::string host(node.text("host"));
    if (host.find(':') != host.npos) node.set("host", "[" + host + "]");
  }
  upstream.set("nodes", std::move(list));
}

}  // namespace

Value effective(const plugin::Validator& validator, const model::Resource& resource, std::string_view id,
                Value stored) {
  if (resource.plugins == PluginUse::metadata) {
    const PluginType* type = validator.find(id);
    if (type != nullptr && stored.is_object()) fill(stored, full_plugin(type->metadata, stored));
    return stored;
  }
  Value* plugins = stored.find("plugins");
  if (plugins != nullptr && resource.plugins != PluginUse::none)
    fill_plugins(validator, resource.plugins, *plugins);
  json::Findings findings;
  json::Reader reader(findings);
  reader.let_references_stand();
  Value full = resource.written == nullptr ? Value() : resource.written(stored, reader);
  list_nodes(stored, full);
  Value* own = stored.find("upstream");
  const Value* upstream = full.find("upstream");
  if (own != nullptr && upstream != nullptr) list_nodes(*own, *upstream);
  fill(stored, std::move(full));
  return stored;
}

}  // namespace sluice::admin
