// SPDX-License-Identifier: Apache-2.0
#include "plugin/secret_places.h"

#include <algorithm>

#include "json/text.h"

namespace sluice::plugin {

using json::Value;
using model::PluginUse;
using model::Resource;

namespace {

std::string quoted(std::string_view name) { return std::string("\"").append(name).append("\""); }

}  // namespace

SecretPlaces::Node SecretPlaces::read(const Value& schema) {
  Node node;
  add(schema, node);
  return node;
}

void SecretPlaces::add(const Value& schema, Node& into) {
  const Value* mark = schema.find("writeOnly");
  into.secret = into.secret || (mark != nullptr && mark->is_bool() && mark->as_bool());
  if (const Value* properties = schema.find("properties"); properties != nullptr && properties->is_object()) {
    for (const auto& [name, member] : properties->as_object()) {
      Node below = read(member);
      if (!below.empty()) into.members[name] = std::move(below);
    }
  }
  for (std::string_view each : {"items", "additionalProperties"}) {
    const Value* item = schema.find(each);
    if (item == nullptr || !item->is_object()) continue;
    if (Node below = read(*item); !below.empty()) into.items = std::make_unique<Node>(std::move(below));
  }
  if (const Value* kinds = schema.find("anyOf"); kinds != nullptr && kinds->is_array()) {
    for (const Value& kind : kinds->as_array()) add(kind, into);
  }
}

void SecretPlaces::add_names(const Node& node, std::vector<std::string>& names) {
  for (const auto& [name, below] : node.members) {
    if (below.secret || below.items) names.push_back(quoted(name));
    add_names(below, names);
  }
  if (node.items) add_names(*node.items, names);
}

SecretPlaces::SecretPlaces(std::span<const PluginType* const> types) {
  for (const Resource& resource : model::resources()) {
    Node node = read(resource.schema());
    if (node.empty()) continue;
    add_names(node, names_[resource.path]);
    resources_[resource.path] = std::move(node);
  }
  const auto put = [](const ConfigType& type, std::string_view name, auto& into) {
    if (type.schema == nullptr) return;
    if (Node node = read(type.schema()); !node.empty()) into[std::string(name)] = std::move(node);
  };
  for (const PluginType* type : types) {
    put(type->config, type->name, plugins_.config);
    put(type->consumer.schema != nullptr ? type->consumer : type->config, type->name, plugins_.consumer);
    put(type->metadata, type->name, plugins_.metadata);
  }
}

const std::map<std::string, SecretPlaces::Node, std::less<>>& SecretPlaces::configs_in(
    const Resource& resource) const {
  const bool of_consumers =
      resource.plugins == PluginUse::consumer || resource.plugins == PluginUse::credential;
  return of_consumers ? plugins_.consumer : plugins_.config;
}

bool SecretPlaces::may_be_in(const Resource& resource, std::string_view id, std::string_view text) const {
  if (resource.plugins == PluginUse::metadata) return plugins_.metadata.contains(id);
  if (const auto found = names_.find(resource.path); found != names_.end()) {
    for (const std::string& name : found->second) {
      if (text.find(name) != text.npos) return true;
    }
  }
  if (resource.plugins == PluginUse::none || text.find("\"plugins\"") == text.npos) return false;
  return std::ranges::any_of(configs_in(resource), [text](const auto& config) {
    return text.find(quoted(config.first)) != text.npos;
  });
}

// One walk through a value, along a schema.
class SecretPlaces::Walk {
 public:
  Walk(Of of, const Visit& visit) : of_(of), visit_(visit) {}

  Then at(Value& value, const Node& node, const std::string& path) {
    if (node.secret && value.is_string()) return visit_text(value, path);
    if (value.is_object()) each_member(value, node, path);
    else if (value.is_array()) each_item(value, node, path);
    return Then::keep;
  }

 private:
  Then visit_text(Value& value, const std::string& path) {
    std::string text = value.as_string();
    const Then then = visit_(text, path, of_);
    if (text != value.as_string()) value = std::move(text);
    return then;
  }

  // What is called secret as a whole is so in each of its texts.
  static const Node* below(const Node& node, std::string_view name) {
    if (const auto found = node.members.find(name); found != node.members.end()) return &found->second;
    return node.items ? node.items.get() : node.secret ? &node : nullptr;
  }

  void each_member(Value& value, const Node& node, const std::string& path) {
    std::vector<std::string> erased;
    for (auto& [name, member] : value.as_object()) {
      const Node* own = below(node, name);
      if (own == nullptr) continue;
      if (at(member, *own, path + "/" + json::pointer_segment(name)) == Then::erase) erased.push_back(name);
    }
    for (const auto& name : erased) value.erase(name);
  }

  void each_item(Value& value, const Node& node, const std::string& path) {
    const Node* own = node.items ? node.items.get() : node.secret ? &node : nullptr;
    if (own == nullptr) return;
    std::size_t index = 0;
    std::erase_if(value.as_array(), [&](Value& item) {
      return at(item, *own, path + "/" + std::to_string(index++)) == Then::erase;
    });
  }

  Of of_;
  const Visit& visit_;
};

void SecretPlaces::visit(const Resource& resource, std::string_view id, Value& body,
                         const Visit& visit) const {
  if (resource.plugins == PluginUse::metadata) {
    const auto found = plugins_.metadata.find(id);
    if (found != plugins_.metadata.end()) Walk(Of::plugin, visit).at(body, found->second, "");
    return;
  }
  if (const auto found = resources_.find(resource.path); found != resources_.end())
    Walk(Of::resource, visit).at(body, found->second, "");
  Value* plugins = resource.plugins == PluginUse::none ? nullptr : body.find("plugins");
  if (plugins == nullptr || !plugins->is_object()) return;
  const auto& configs = configs_in(resource);
  for (auto& [name, config] : plugins->as_object()) {
    const auto found = configs.find(name);
    if (found != configs.end())
      Walk(Of::plugin, visit).at(config, found->second, "/plugins/" + json::pointer_segment(name));
  }
}

}  // namespace sluice::plugin
