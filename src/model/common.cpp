// SPDX-License-Identifier: Apache-2.0
#include "model/common.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "json/text.h"

namespace sluice::model {

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

void Timeout::describe(json::Fields& field) {
  field("connect", connect, "Seconds to connect.").required().more_than(0);
  field("send", send, "Seconds between two writes of the request.").required().more_than(0);
  field("read", read, "Seconds between two reads of the response.").required().more_than(0);
  field.open();
}

void describe_id(Common& common, json::Fields& field) { field("id", common.id, "Identifies the resource."); }

void describe_name(Common& common, json::Fields& field) {
  field("name", common.name, "A name for people.").length(1, 256);
}

void describe_rest(Common& common, json::Fields& field) {
  field("desc", common.desc, "What it is for.").length(0, 256);
  field("labels", common.labels, "Key/value pairs to find it by.").items().length(1, 256).pattern(R"(^\S+$)");
  field("create_time", common.create_time, "When it was made: seconds since 1970; set by the gateway.");
  field("update_time", common.update_time,
        "When it was last changed: seconds since 1970; set by the gateway.");
}

}  // namespace sluice::model

namespace sluice::json {

bool Codec<model::Id>::read(const Value& in, model::Id& out, Reader& reader) {
  if (in.is_integer() && in.as_int() >= 1) {
    out.text = std::to_string(in.as_int());
    return true;
  }
  if (in.is_string() && model::is_id(in.as_string())) {
    out.text = in.as_string();
    return true;
  }
  auto shown = dump(in).substr(0, 80);
  return reader.fail(
      fmt::format("{} is no id: 1 to 64 letters, digits, '-', '_' or '.', or an integer of at least 1",
                  shown),
      "object matches none of the required");
}

Value Codec<model::Id>::schema() {
  auto text = type_schema("string");
  text.set("minLength", 1);
  text.set("maxLength", 64);
  text.set("pattern", "^[a-zA-Z0-9-_.]+$");
  auto number = type_schema("integer");
  number.set("minimum", 1);
  return Value::object({{"anyOf", Value::array({std::move(text), std::move(number)})}});
}

bool Codec<model::PathId>::read(const Value& in, model::PathId& out, Reader& reader) {
  constexpr std::size_t length_max = 128;
  if (in.is_string() && in.as_string().contains('/')) {
    bool good = in.as_string().size() <= length_max;
    for (std::string_view part : Split(in.as_string(), '/')) good = good && model::is_id(part);
    if (!good) return reader.fail("is no id", "object matches none of the required");
    out.text = in.as_string();
    return true;
  }
  model::Id id;
  if (!Codec<model::Id>::read(in, id, reader)) return false;
  out.text = std::move(id.text);
  return true;
}

Value Codec<model::PathId>::schema() {
  auto schema = Codec<model::Id>::schema();
  auto path = type_schema("string");
  path.set("maxLength", 128);
  path.set("pattern", "^[a-zA-Z0-9-_.]+(/[a-zA-Z0-9-_.]+)+$");
  schema.find("anyOf")->push_back(std::move(path));
  return schema;
}

bool Codec<model::PluginConfigs>::read(const Value& in, model::PluginConfigs& out, Reader& reader) {
  if (!in.is_object()) return reader.wrong_type("object", in);
  out.list.clear();
  bool good = true;
  for (const auto& [name, config] : in.as_object()) {
    if (config.is_object()) {
      out.list.emplace_back(name, config);
      continue;
    }
    if (config.is_array() && config.as_array().empty()) {  // what Lua makes of an empty table
      out.list.emplace_back(name, Value::object({}));
      continue;
    }
    good = reader.fail_plainly(
        name, fmt::format("must be the plugin's configuration, an object, not {}", name_of(config.kind())),
        fmt::format("invalid plugin conf {} for plugin [{}]", dump(config), name));
  }
  return good;
}

Value Codec<model::PluginConfigs>::write(const model::PluginConfigs& value) {
  if (value.empty()) return {};
  Object object;
  for (const auto& [name, config] : value.list) object.append(name, config);
  return object;
}

}  // namespace sluice::json
