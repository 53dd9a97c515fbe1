// SPDX-License-Identifier: Apache-2.0
// What loggers tell of an exchange that is over: APISIX's full entry, or one of the operator's own format.
// Also the config fields about it, and keeping the beginnings of bodies. Formats are compiled with the plugin
// or its metadata; entries are made on the worker.
#pragma once
#include <string>
#include <vector>

#include "json/value.h"
#include "plugin/body_filter.h"
#include "plugin/exchange.h"
#include "plugin/leaf.h"

namespace sluice::plugin {

// {"host": "$host", "kind": "access", "more": {"user": "$http_user"}}: texts that begin with $ are variables.
class LogFormat {
 public:
  static constexpr int depth_max = 5;  // of objects in objects; what is deeper is left empty
  LogFormat() = default;
  explicit LogFormat(json::Value written);
  bool empty() const { return parts_.empty(); }
  const json::Value& written() const { return written_; }
  // `body`: the client's, as far as it was kept.
  json::Value entry(Exchange& x, std::string_view body) const;

 private:
  struct Part {
    std::string name;
    enum class Kind : std::uint8_t { literal, variable, request_body, object } kind = Kind::literal;
    json::Value literal;
    Variable variable;
    std::vector<Part> inner;
  };
  static std::vector<Part> compile(const json::Value& written, int depth);
  static json::Value make(const std::vector<Part>& parts, Exchange& x, std::string_view body);
  json::Value written_;
  std::vector<Part> parts_;
};

// The fields about entries that every logger's config has.
struct LogConfig {
  LogFormat log_format, log_format_extra;
  bool include_req_body = false, include_resp_body = false;
  Conditions include_req_body_expr, include_resp_body_expr;
  std::int64_t max_req_body_bytes = 524'288, max_resp_body_bytes = 524'288;
  void describe(json::Fields& field);

  // Called in the plugin's access and body phases, with the plugin as owner.
  void watch_request(Exchange& x, const Plugin& owner) const;
  void watch_response(Exchange& x, const Plugin& owner) const;
};

// The fields that every logger's metadata has.
struct LogMetadata {
  LogFormat log_format, log_format_extra;
  std::int64_t max_pending_entries = 8192;
  void describe(json::Fields& field);
};

// The entry of an exchange, in the log phase: the config's format, else the metadata's, else everything; of a
// connection below HTTP likewise.
json::Value log_entry(Exchange& x, const Plugin& owner, const LogConfig& config, const LogMetadata& metadata);

}  // namespace sluice::plugin

namespace sluice::json {
template <>
struct Codec<plugin::LogFormat> {
  static bool read(const Value& in, plugin::LogFormat& out, Reader& reader);
  static Value write(const plugin::LogFormat& value) { return value.written(); }
  static Value schema() { return type_schema("object"); }
};
}  // namespace sluice::json
