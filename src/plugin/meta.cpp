// SPDX-License-Identifier: Apache-2.0
#include "plugin/meta.h"

#include <fmt/core.h>

#include "plugin/expression.h"

namespace sluice::plugin {

void Meta::describe(json::Fields& field) {
  field("disable", disable, "Keeps the configuration without running the plugin.");
  field("error_response", error_response, "Replaces the body when the plugin refuses: an object or a text.");
  field("priority", priority, "Runs the plugin at this place in the order instead of its own.");
  field("filter", filter, "Conditions over variables; the plugin runs when they hold.")
      .must_be(json::Kind::array);
  field.refused("pre_function", "needs the Lua runtime, which this build has not");
  field.open();
  if (!field.reading()) return;
  bool shaped = error_response.is_null() || error_response.is_string() || error_response.is_object();
  field.check(shaped, "error_response", "must be an object or a text");
  if (!filter.is_array()) return;
  auto compiled = Expression::compile(filter, find_variable);
  if (!compiled) {
    field.check_plainly(
        false, "filter",
        compiled.error().what + (compiled.error().path.empty() ? "" : " at ") + compiled.error().path,
        "failed to validate the 'vars' expression: " + compiled.error().what);
  }
}

bool split_meta(const json::Value& config, json::Value& own, Meta& meta, json::Reader& reader) {
  json::Object rest;
  bool good = true;
  for (const auto& [key, value] : config.as_object()) {
    if (key == "_meta") {
      json::Reader::Step step(reader, key);
      good &= json::read(value, meta, reader);
    } else if (key == "disable" && value.is_bool()) {
      meta.disable = meta.disable || value.as_bool();
      reader.warn(key, "is the older spelling of _meta.disable");
    } else {
      rest.append(key, value);
    }
  }
  own = std::move(rest);
  return good;
}

}  // namespace sluice::plugin
