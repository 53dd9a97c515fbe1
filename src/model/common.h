// SPDX-License-Identifier: Apache-2.0
// What all resources share: identifiers, names, labels, times, timeouts, and the configs of plugins, which
// stay raw here because only the plugins know what they mean. Plain values as the operator wrote them, read
// by json/fields; the compiler of snapshots turns them into what requests use. Any thread.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "json/fields.h"
#include "json/units.h"

namespace sluice::model {

// 1–64 letters, digits, '-', '_', '.'; written as a string or as an integer of at least 1.
struct Id {
  std::string text;
  bool empty() const { return text.empty(); }
  friend bool operator==(const Id&, const Id&) = default;
};

// The path and the wording of an id that is none.
bool is_id(std::string_view text);

// Ids joined by '/', the last being the resource's own: "jack/credentials/1", "vault/1", "1"; 128 characters
// at most.
struct PathId {
  std::string text;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// By name, in the order written; every value is a JSON object.
struct PluginConfigs {
  std::vector<std::pair<std::string, json::Value>> list;
  bool empty() const { return list.empty(); }
};

// Seconds for each step of a proxied request.
struct Timeout {
  json::Seconds connect{60.0};
  json::Seconds send{60.0};
  json::Seconds read{60.0};
  void describe(json::Fields& field);
};

struct Common {
  Id id;
  std::string name;
  std::string desc;
  Labels labels;
  std::optional<std::int64_t> create_time;  // Unix seconds, kept by the Admin API
  std::optional<std::int64_t> update_time;
};

// The fields of Common, each resource with those it has.
void describe_id(Common& common, json::Fields& field);
void describe_name(Common& common, json::Fields& field);
void describe_rest(Common& common, json::Fields& field);  // desc, labels, times

// The pattern of a host: a name, an address, with '*' in front or alone.
inline constexpr std::string_view host_pattern = R"(^\*$|^\*?[0-9a-zA-Z-._\[\]:]+$)";

}  // namespace sluice::model

namespace sluice::json {

template <>
struct Codec<model::Id> {
  static bool read(const Value& in, model::Id& out, Reader& reader);
  static Value write(const model::Id& value) { return value.empty() ? Value() : Value(value.text); }
  static Value schema();
};

template <>
struct Codec<model::PathId> {
  static bool read(const Value& in, model::PathId& out, Reader& reader);
  static Value write(const model::PathId& value) { return value.text.empty() ? Value() : Value(value.text); }
  static Value schema();
};

template <>
struct Codec<model::PluginConfigs> {
  static bool read(const Value& in, model::PluginConfigs& out, Reader& reader);
  static Value write(const model::PluginConfigs& value);
  static Value schema() { return type_schema("object"); }
};

}  // namespace sluice::json
