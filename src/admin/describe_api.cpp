// SPDX-License-Identifier: Apache-2.0
#include "admin/describe_api.h"

#include <fmt/core.h>

#include <set>

#include "json/text.h"
#include "plugin/meta.h"

namespace sluice::admin {
namespace {

using http::Method;
using json::Value;
using plugin::PluginType;
using plugin::Validator;

std::string_view subsystem_of(const Call& call) {
  const auto* given = call.arguments.find("subsystem");
  return given ? std::string_view(*given) : "http";
}

http::Reply list_plugins(const Validator& validator, const Call& call) {
  auto subsystem = subsystem_of(call);
  if (subsystem != "http" && subsystem != "stream") return text_reply(400, "invalid subsystem passed");
  json::Array names;
  if (subsystem == "http") {
    for (const auto* type : validator.plugins()) names.push_back(type->name);
  }
  return json_reply(200, names);
}

http::Reply show_plugin(const Validator& validator, const Call& call, std::string_view name) {
  auto subsystem = subsystem_of(call);
  if (subsystem != "http" && subsystem != "stream") {
    return error_reply(400, fmt::format("unsupported subsystem: {}", subsystem));
  }
  if (call.arguments.is("all", "true")) {
    auto cards = Value::object();
    if (subsystem == "http") {
      for (const auto* type : validator.plugins()) cards.set(type->name, plugin_card(*type));
    }
    return json_reply(200, cards);
  }
  const PluginType* type = subsystem == "http" ? validator.find(name) : nullptr;
  if (!type) return error_reply(404, fmt::format("plugin not found in subsystem {}", subsystem));
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

// One list of a whole configuration: problems of each item, and ids that stand twice.
void validate_list(const Validator& validator, const model::Resource& resource, const Value& items,
                   json::Array& errors) {
  auto add = [&](const Value& id, std::size_t index, std::string error) {
    auto line = Value::object({{"resource_type", resource.path}, {"resource_id", id}});
    line.set("index", index);
    line.set("error", std::move(error));
    errors.push_back(std::move(line));
  };
  std::set<std::string> known;
  std::size_t index = 0;
  for (const auto& item : items.as_array()) {
    const Value* named = item.find("id") ? item.find("id") : item.find(resource.key);
    Value id = named ? *named : Value("");
    json::Findings findings;
    auto text = id.is_string() ? id.as_string() : json::dump(id);
    validator.check(model::kind_in_list(resource, text), text, item, findings);
    for (const auto& problem : findings.problems) {
      add(id, index, problem.sentence.empty() ? problem.what : problem.sentence);
    }
    if (named && !known.insert(text).second) {
      const bool by_key = item.find("id") == nullptr;
      const std::string_view called = by_key                      ? resource.key
                                      : model::child_of(resource) ? "credential id"
                                                                  : "id";
      add(id, index, fmt::format("found duplicate {} {} in {}", called, text, resource.path));
    }
    ++index;
  }
}

http::Reply validate_configs(const Validator& validator, const Call& call) {
  if (call.body.empty()) return error_reply(400, "invalid request body: empty request body");
  bool yaml = call.content_type.starts_with("application/yaml");
  auto parsed = yaml ? json::parse_yaml(call.body) : json::parse(call.body);
  if (!parsed) return error_reply(400, "invalid request body: " + parsed.error().what);
  if (!parsed->is_object()) return error_reply(400, "invalid request body: it must be an object");
  json::Array errors;
  for (const auto& [key, value] : parsed->as_object()) {
    const auto* resource = model::find_resource(key);
    auto complain = [&](std::string error) {
      errors.push_back(Value::object({{"resource_type", key}, {"error", std::move(error)}}));
    };
    if (key.ends_with("_conf_version")) {
      if (!value.is_number())
        complain(fmt::format("{} must be a number, got {}", key, json::name_of(value.kind())));
    } else if (!resource) {
      complain(fmt::format("Unsupported resource type: {}", key));
    } else if (!value.is_array()) {
      complain(fmt::format("{} must be an array, got {}", key, json::name_of(value.kind())));
    } else {
      validate_list(validator, *resource, value, errors);
    }
  }
  if (errors.empty()) return json_text_reply(200, "{}");
  return json_reply(400,
                    Value::object({{"error_msg", "Configuration validation failed"}, {"errors", errors}}));
}

std::optional<http::Reply> describe_plugins(const Validator& validator, const Call& call) {
  auto name = call.segments.size() > 1 ? std::string_view(call.segments[1]) : std::string_view();
  if (name == "list" && call.method == Method::get) return list_plugins(validator, call);
  if (name == "reload") {
    if (call.method == Method::put) return text_reply(200, "done");
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
  return card;
}

Value all_schemas(const Validator& validator) {
  auto main = Value::object(), plugins = Value::object();
  for (const auto& resource : model::resources()) main.set(resource.schema_name, resource.schema());
  for (const auto* type : validator.plugins()) plugins.set(type->name, plugin_card(*type));
  return Value::object(
      {{"main", std::move(main)}, {"plugins", std::move(plugins)}, {"stream_plugins", Value::object()}});
}

std::optional<http::Reply> describe(const Validator& validator, const Call& call) {
  if (call.segments.empty()) return std::nullopt;
  const auto& first = call.segments[0];
  auto second = call.segments.size() > 1 ? std::string_view(call.segments[1]) : std::string_view();
  if (first == "plugins") return describe_plugins(validator, call);
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
