// SPDX-License-Identifier: Apache-2.0
#include "model/resources.h"

#include <algorithm>

#include "model/secret.h"
#include "model/stream_route.h"
#include "model/tls.h"

namespace sluice::model {
namespace {

template <class T>
constexpr Resource resource(Resource row) {
  row.check = [](std::string_view, const json::Value& body, json::Reader& reader) {
    T fresh{};
    return json::read(body, fresh, reader);
  };
  row.written = [](const json::Value& body, json::Reader& reader) {
    T fresh{};
    return json::read(body, fresh, reader) ? json::write(fresh) : json::Value();
  };
  row.schema = [] { return json::schema<T>(); };
  return row;
}

constexpr std::array table{
    resource<Route>({.path = "routes", .kind = "route", .schema_name = "route", .plugins = PluginUse::route}),
    resource<Service>({.path = "services",
                       .kind = "service",
                       .schema_name = "service",
                       .plugins = PluginUse::route,
                       .still_used = "can not delete this service directly"}),
    resource<Upstream>({.path = "upstreams",
                        .kind = "upstream",
                        .schema_name = "upstream",
                        .still_used = "can not delete this upstream"}),
    resource<Consumer>({.path = "consumers",
                        .kind = "consumer",
                        .schema_name = "consumer",
                        .key = "username",
                        .post = false,
                        .patch = false,
                        .plugins = PluginUse::consumer}),
    resource<Credential>({.path = "credentials",
                          .kind = "credential",
                          .schema_name = "credential",
                          .under = "consumers",
                          .post = false,
                          .patch = false,
                          .plugins = PluginUse::credential}),
    resource<ConsumerGroup>({.path = "consumer_groups",
                             .kind = "consumer group",
                             .schema_name = "consumer_group",
                             .post = false,
                             .plugins = PluginUse::route,
                             .still_used = "can not delete this consumer group"}),
    resource<PluginConfig>({.path = "plugin_configs",
                            .kind = "plugin config",
                            .schema_name = "plugin_config",
                            .post = false,
                            .plugins = PluginUse::route,
                            .still_used = "can not delete this plugin config"}),
    resource<GlobalRule>({.path = "global_rules",
                          .kind = "global rule",
                          .schema_name = "global_rule",
                          .post = false,
                          .plugins = PluginUse::route,
                          .plugins_once = true}),
    resource<Ssl>(
        {.path = "ssls", .kind = "ssl", .schema_name = "ssl", .hidden = {"key", "keys"}}),
    resource<Proto>({.path = "protos",
                     .kind = "proto",
                     .schema_name = "proto",
                     .patch = false,
                     .still_used = "can not delete this proto"}),
    resource<StreamRoute>({.path = "stream_routes",
                           .kind = "stream route",
                           .schema_name = "stream_route",
                           .patch = false,
                           .plugins = PluginUse::stream}),
    Resource{.path = "secrets",
             .kind = "secret",
             .schema_name = "secret",
             .id_parts = 2,
             .post = false,
             .check = check_secret,
             .schema = secret_schema},
    resource<PluginMetadata>({.path = "plugin_metadata",
                              .kind = "plugin_metadata",
                              .schema_name = "plugin_metadata",
                              .post = false,
                              .patch = false,
                              .times = false,
                              .plugins = PluginUse::metadata}),
};

void describe_plugins(PluginConfigs& plugins, json::Fields& field) {
  field("plugins", plugins, "").required();
}

}  // namespace

void Consumer::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_rest(*this, field);
  field("username", username, "Unique name.").required().length(1, 256).pattern(R"(^[a-zA-Z0-9_\-]+$)");
  field("plugins", plugins, "");
  field("group_id", group_id, "The group it belongs to.").references("consumer_groups");
}

void Credential::describe(json::Fields& field) {
  field("id", path_id, "Identifies the credential; in a file \"USERNAME/credentials/ID\".");
  describe_name(*this, field);
  describe_rest(*this, field);
  field("plugins", plugins, "An authenticating plugin and how the consumer is known to it.")
      .max_properties(1);
}

void PluginConfig::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_name(*this, field);
  describe_rest(*this, field);
  describe_plugins(plugins, field);
}

void ConsumerGroup::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_name(*this, field);
  describe_rest(*this, field);
  describe_plugins(plugins, field);
}

void Proto::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_name(*this, field);
  describe_rest(*this, field);
  field("content", content, "A .proto file, or a compiled descriptor set in Base64.")
      .required()
      .length(1, 1'048'576);
}

void GlobalRule::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_rest(*this, field);
  describe_plugins(plugins, field);
}

std::span<const Resource> resources() { return table; }

const Resource* find_resource(std::string_view path) {
  auto found = std::ranges::find(table, path, &Resource::path);
  return found == table.end() ? nullptr : &*found;
}

const Resource* find_schema(std::string_view name) {
  auto found = std::ranges::find(table, name, &Resource::schema_name);
  return found == table.end() ? nullptr : &*found;
}

std::string key_of(const Resource& resource, std::string_view id) {
  std::string key(key_prefix);
  return key.append(resource.under.empty() ? resource.path : resource.under).append("/").append(id);
}

const Resource* child_of(const Resource& resource) {
  auto found = std::ranges::find(table, resource.path, &Resource::under);
  return found == table.end() ? nullptr : &*found;
}

const Resource& kind_in_list(const Resource& listed, std::string_view id) {
  const auto slash = id.find('/');
  if (slash == id.npos) return listed;
  const Resource* child = child_of(listed);
  const auto rest = id.substr(slash + 1);
  const bool below = child != nullptr && rest.starts_with(child->path) &&
                     rest.substr(child->path.size()).starts_with('/');
  return below ? *child : listed;
}

std::string_view owner_of(const Resource& resource, std::string_view id) {
  return resource.under.empty() ? std::string_view() : id.substr(0, id.find('/'));
}

std::string owner_key_of(std::string_view key) {
  const auto parts = split_key(key);
  if (parts.resource == nullptr || parts.resource->under.empty()) return {};
  return key_of(*find_resource(parts.resource->under), owner_of(*parts.resource, parts.id));
}

KeyParts split_key(std::string_view key) {
  if (!key.starts_with(key_prefix)) return {};
  key.remove_prefix(key_prefix.size());
  auto slash = key.find('/');
  if (slash == key.npos) return {};
  const Resource* listed = find_resource(key.substr(0, slash));
  const auto id = key.substr(slash + 1);
  return {listed == nullptr ? nullptr : &kind_in_list(*listed, id), id};
}

}  // namespace sluice::model

namespace sluice::json {

bool Codec<model::PluginMetadata>::read(const Value& in, model::PluginMetadata& out, Reader& reader) {
  if (!in.is_object()) return reader.wrong_type("object", in);
  out.config = in;
  return true;
}

}  // namespace sluice::json
