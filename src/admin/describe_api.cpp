// SPDX-License-Identifier: Apache-2.0
#include "admin/describe_api.h"

#include <fmt/core.h>

#include "admin/configs_check.h"
#include "json/text.h"
#include "plugin/meta.h"

namespace sluice::admin {
namespace {

using http::Method;
using json::Value;
using plugin::PluginType;
using plugin::Validator;

std::string_view asked_subsystem(const Call& call) {
  const auto* given = call.arguments.find("subsystem");
  return given ? std::string_view(*given) : "http";
}

std::optional<plugin::Subsystem> subsystem_of(const Call& call) {
  const auto asked = asked_subsystem(call);
  if (asked == "http") return plugin::Subsystem::http;
  if (asked == "stream") return plugin::Subsystem::stream;
  return std::nullopt;
}

http::Reply list_plugins(const Validator& validator, const Call& call) {
  const auto subsystem = subsystem_of(call);
  if (!subsystem) return text_reply(400, "invalid subsystem passed");
  json::Array names;
  for (const auto* type : validator.plugins(*subsystem)) names.push_back(type->name);
  return json_reply(200, names);
}

http::Reply show_plugin(const Validator& validator, const Call& call, std::string_view name) {
  const auto subsystem = subsystem_of(call);
  if (!subsystem) return error_reply(400, fmt::format("unsupported subsystem: {}", asked_subsystem(call)));
  if (call.arguments.is("all", "true")) {
    auto cards = Value::object();
    for (const auto* type : validator.plugins(*subsystem)) cards.set(type->name, plugin_card(*type));
    return json_reply(200, cards);
  }
  const PluginType* type = validator.find(name, *subsystem);
  if (!type) return error_reply(404, fmt::format("plugin not found in subsystem {}", asked_subsystem(call)));
  bool consumer = call.arguments.is("schema_type", "consumer");
  bool metadata = call.arguments.is("schema_type", "metadata");
  auto make = consumer ? type->consumer.schema : metadata ? type->metadata.schema : type->config.schema;
  if (!make) return error_reply(400, "not found schema");
  return json_reply(200, consumer || metadata ? make() : plugin_schema(*type));
}

http::Reply show_schema(const Call& call) {
  auto name = call.segments.size() > 1 ? std::string_view(call.segments[1]) : std::string_view();
  const auto* resource = model::find_schema(name);
  if (!resource) return error_reply(400, fmt::format("not found schema: {}", name));
  return json_reply(200, resource->schema());
}

http::Reply validate_schema(const Validator& validator, const Call& call) {
  auto path = call.segments.size() > 2 ? std::string_view(call.segments[2]) : std::string_view();
  const auto* resource = model::find_resource(path);
  if (!resource) return error_reply(404, fmt::format("Unsupported resource type: {}", path));
  Value body;
  if (auto refusal = parse_body(call, body)) return std::move(*refusal);
  json::Findings findings;
  validator.check_fields(*resource, {}, body, findings);
  return findings.ok() ? http::Reply{200, {}, {}, {}} : problems_reply(findings);
}

std::optional<http::Reply> describe_plugins(const Validator& validator, plugin::Status& status,
                                            const Call& call) {
  auto name = call.segments.size() > 1 ? std::string_view(call.segments[1]) : std::string_view();
  if (name == "list" && call.method == Method::get) return list_plugins(validator, call);
  if (name == "reload") {
    if (call.method == Method::put) {
      status.take_up_settings();
      return text_reply(200, "done");
    }
    return error_reply(405,
                       fmt::format("please use PUT method to reload the plugins, {} method is not allowed.",
                                   call.method_name));
  }
  if (call.method != Method::get) return error_reply(404, "not found");
  return show_plugin(validator, call, name);
}

}  // namespace

Value plugin_schema(const PluginType& type) {
  auto schema = type.config.schema();
  if (Value* properties = schema.find("properties")) properties->set("_meta", json::schema<plugin::Meta>());
  return schema;
}

Value plugin_card(const PluginType& type) {
  auto card = Value::object({{"version", 0.1}, {"priority", type.priority}, {"schema", plugin_schema(type)}});
  if (type.consumer.schema) card.set("consumer_schema", type.consumer.schema());
  if (type.metadata.schema) card.set("metadata_schema", type.metadata.schema());
  if (type.authenticates) card.set("type", "auth");
  card.set("summary", type.summary);  // and what follows: told here only
  if (auto example = json::parse(type.example)) card.set("example", std::move(*example));
  return card;
}

Value all_schemas(const Validator& validator) {
  auto main = Value::object(), plugins = Value::object(), stream_plugins = Value::object();
  for (const auto& resource : model::resources()) main.set(resource.schema_name, resource.schema());
  for (const auto* type : validator.plugins()) plugins.set(type->name, plugin_card(*type));
  for (const auto* type : validator.plugins(plugin::Subsystem::stream))
    stream_plugins.set(type->name, plugin_card(*type));
  return Value::object({{"main", std::move(main)},
                        {"plugins", std::move(plugins)},
                        {"stream_plugins", std::move(stream_plugins)}});
}

std::optional<http::Reply> describe(const Validator& validator, plugin::Status& status, const Call& call) {
  if (call.segments.empty()) return std::nullopt;
  const auto& first = call.segments[0];
  auto second = call.segments.size() > 1 ? std::string_view(call.segments[1]) : std::string_view();
  if (first == "plugins") return describe_plugins(validator, status, call);
  if (first == "configs" && second == "validate" && call.method == Method::post) {
    return validate_configs(validator, call);
  }
  if (first != "schema") return std::nullopt;
  if (second == "validate" && call.method == Method::post) return validate_schema(validator, call);
  if (call.method != Method::get) return error_reply(404, "not found");
  if (second != "plugins") return show_schema(call);
  return show_plugin(validator, call,
                     call.segments.size() > 2 ? std::string_view(call.segments[2]) : std::string_view());
}

}  // namespace sluice::admin
