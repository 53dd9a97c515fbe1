// SPDX-License-Identifier: Apache-2.0
// Every kind of thing that the Admin API stores, as one table: the verbs are written once over these rows,
// and the schemas, the console and the command line read the same rows. What a resource has of its own is a
// column here or a word in its `describe`. Constant data, any thread.
#pragma once
#include <array>
#include <span>

#include "model/route.h"

namespace sluice::model {

struct Consumer : Common {
  std::string username;
  PluginConfigs plugins;
  Id group_id;
  void describe(json::Fields& field);
};

// One way to prove to be a consumer, beside the consumer's own: the config of one authenticating plugin.
struct Credential : Common {
  PathId path_id;
  PluginConfigs plugins;
  void describe(json::Fields& field);
};

// Plugins that several routes share.
struct PluginConfig : Common {
  PluginConfigs plugins;
  void describe(json::Fields& field);
};

// Plugins that several consumers share.
struct ConsumerGroup : Common {
  PluginConfigs plugins;
  void describe(json::Fields& field);
};

// Plugins that run for every request.
struct GlobalRule : Common {
  PluginConfigs plugins;
  void describe(json::Fields& field);
};

// What a plugin that speaks Protocol Buffers is told of them.
struct Proto : Common {
  std::string content;
  void describe(json::Fields& field);
};

// Settings of one plugin for all its uses; its id is the plugin's name, the rest is the plugin's.
struct PluginMetadata {
  json::Value config;
};

enum class PluginUse : std::uint8_t { none, route, stream, consumer, credential, metadata };

struct Resource {
  std::string_view path;         // below /apisix/admin, and in keys: /apisix/routes/1
  std::string_view kind;         // in texts: "route"
  std::string_view schema_name;  // below /apisix/admin/schema
  std::string_view key = "id";   // the member that names it
  std::uint8_t id_parts = 1;     // segments of its id
  std::string_view under = {};   // the path of the kind it belongs to: /apisix/consumers/jack/credentials/1
  bool post = true;              // may be created without an id
  bool patch = true;
  bool times = true;                    // create_time and update_time are kept
  PluginUse plugins = PluginUse::none;  // how its `plugins` (or it as a whole) are checked
  bool plugins_once = false;            // a plugin may stand in one of them only
  std::string_view still_used = {};     // opens the sentence that refuses to delete it
  std::array<std::string_view, 2> hidden = {};  // members that are not shown when it is read
  bool (*check)(std::string_view id, const json::Value&, json::Reader&) = nullptr;
  // What was read, written again with every default; null when it does not hold.
  json::Value (*written)(const json::Value&, json::Reader&) = nullptr;
  json::Value (*schema)() = nullptr;
};

std::span<const Resource> resources();
// By path ("routes") or by schema name ("route"); null pointer when there is none.
const Resource* find_resource(std::string_view path);
const Resource* find_schema(std::string_view name);

// The key of what a key's resource belongs to: "/apisix/consumers/jack" of a credential of jack's; else
// empty.
std::string owner_key_of(std::string_view key);
// "/apisix/routes/1".
std::string key_of(const Resource& resource, std::string_view id);
// What belongs to resources of this kind and goes with them; null pointer when nothing does.
const Resource* child_of(const Resource& resource);
// The kind of an item in a list of `listed`: an item of `consumers` named "jack/credentials/1" is a
// credential.
const Resource& kind_in_list(const Resource& listed, std::string_view id);
// The owner's id in that of a resource that belongs to it: "jack" of "jack/credentials/1"; else empty.
std::string_view owner_of(const Resource& resource, std::string_view id);
// The resource and the id of a key; no resource when it is none of ours. The id of what belongs to another
// begins with that: "jack/credentials/1".
struct KeyParts {
  const Resource* resource = nullptr;
  std::string_view id;
};
KeyParts split_key(std::string_view key);
inline constexpr std::string_view key_prefix = "/apisix/";

}  // namespace sluice::model

namespace sluice::json {

template <>
struct Codec<model::PluginMetadata> {
  static bool read(const Value& in, model::PluginMetadata& out, Reader& reader);
  static Value write(const model::PluginMetadata& value) { return value.config; }
  static Value schema() { return type_schema("object"); }
};

}  // namespace sluice::json
