// SPDX-License-Identifier: Apache-2.0
#include "plugin/log_entry.h"

#include <unistd.h>

#include "base/compression.h"
#include "base/text.h"
#include "net/tls_facts.h"
#include "plugin/stream_side.h"
#include "plugin/values.h"

namespace sluice::plugin {
namespace {

using json::Value;

// What a logger keeps of the bodies of one exchange.
struct Watched {
  TeeBody* request = nullptr;
  TeeBody* response = nullptr;
  bool response_wanted = false;
};

const std::string& host_name() {
  static const std::string name = [] {
    char text[256] = {};
    return std::string(::gethostname(text, sizeof text - 1) == 0 ? text : "unknown");
  }();
  return name;
}

double milliseconds(Duration time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(time).count()) / 1000;
}

void add_latency(Exchange& x, Value& entry) {
  const Duration whole = x.worker.loop.now() - x.started;
  const bool asked = x.upstream.response_time >= Duration::zero();
  entry.set("latency", milliseconds(whole));
  if (asked) entry.set("upstream_latency", milliseconds(x.upstream.response_time));
  entry.set("apisix_latency",
            milliseconds(asked ? std::max(whole - x.upstream.response_time, Duration::zero()) : whole));
}

// A body that is compressed, as it was before, when all of it was kept; else as it is.
std::string readable(const Exchange& x, std::string_view body, std::size_t bytes_max) {
  const Coding coding = coding_of(x.response.headers.get(http::HeaderId::content_encoding));
  if (coding == Coding::identity || coding == Coding::unknown || body.empty()) return std::string(body);
  auto plain = decode(coding, body, bytes_max);
  return plain ? std::move(*plain) : std::string(body);
}

Value full_entry(Exchange& x, const LogConfig& config, const Watched& watched) {
  const auto& request = x.request;
  std::string url = request.secure ? "https://" : "http://";
  url.append(request.host).append(":").append(std::to_string(x.server.port)).append(request.target);
  Value asked = Value::object({{"url", std::move(url)},
                               {"uri", request.target},
                               {"method", request.method},
                               {"headers", headers_value(request.headers)},
                               {"querystring", arguments_value(request.query)},
                               {"size", x.request_size}});
  if (watched.request != nullptr) asked.set("body", watched.request->kept());
  Value told = Value::object({{"status", x.response.status},
                              {"headers", headers_value(x.response.headers)},
                              {"size", x.response_size}});
  const auto bytes_max = static_cast<std::size_t>(config.max_resp_body_bytes);
  if (watched.response != nullptr) {
    told.set("body", readable(x, watched.response->kept(), bytes_max));
  } else if (watched.response_wanted) {
    told.set("body", readable(x, x.response.content.substr(0, bytes_max), bytes_max));
  }
  Value entry = Value::object({{"request", std::move(asked)}, {"response", std::move(told)}});
  entry.set("server", Value::object({{"hostname", host_name()}, {"version", SLUICE_VERSION}}));
  if (!x.upstream.addresses.empty()) entry.set("upstream", x.upstream.addresses);
  entry.set("service_id", x.route != nullptr ? std::string_view(x.route->service_id) : request.host);
  if (x.route != nullptr) entry.set("route_id", x.route->id);
  if (!x.consumer_name.empty()) entry.set("consumer", Value::object({{"username", x.consumer_name}}));
  entry.set("client_ip", x.remote_text);
  entry.set("start_time", x.started_wall / 1'000'000);
  add_latency(x, entry);
  return entry;
}

Value end_entry(std::uint64_t received, std::uint64_t sent) {
  return Value::object({{"bytes_received", received}, {"bytes_sent", sent}});
}

// What there is to tell of a connection below HTTP.
Value stream_entry(Exchange& x) {
  const StreamSide& side = *x.stream;
  Value entry = Value::object({{"client_ip", x.remote_text},
                               {"protocol", side.transport == Transport::tcp ? "TCP" : "UDP"},
                               {"status", x.response.status},
                               {"client", end_entry(side.received, side.sent)}});
  if (x.tls != nullptr && !x.tls->server_name().empty()) entry.set("sni", x.tls->server_name());
  if (!side.mqtt_client_id.empty()) entry.set("mqtt_client_id", side.mqtt_client_id);
  if (!x.upstream.addresses.empty()) {
    Value told = end_entry(side.upstream_received, side.upstream_sent);
    told.set("address", x.upstream.addresses);
    entry.set("upstream", std::move(told));
  }
  entry.set("server", Value::object({{"hostname", host_name()},
                                     {"version", SLUICE_VERSION},
                                     {"port", x.server.port}}));
  if (x.route != nullptr) {
    if (!x.route->service_id.empty()) entry.set("service_id", x.route->service_id);
    entry.set("route_id", x.route->id);
  }
  entry.set("start_time", x.started_wall / 1'000'000);
  entry.set("session_time", milliseconds(x.worker.loop.now() - x.started));
  return entry;
}

}  // namespace

LogFormat::LogFormat(Value written) : written_(std::move(written)), parts_(compile(written_, 1)) {}

std::vector<LogFormat::Part> LogFormat::compile(const Value& written, int depth) {
  std::vector<Part> parts;
  for (const auto& [name, value] : written.as_object()) {
    Part& part = parts.emplace_back();
    part.name = name;
    if (value.is_object()) {
      part.kind = Part::Kind::object;
      if (depth < depth_max) part.inner = compile(value, depth + 1);
    } else if (value.is_string() && value.as_string().starts_with("$")) {
      const auto variable = std::string_view(value.as_string()).substr(1);
      part.kind = variable == "request_body" ? Part::Kind::request_body : Part::Kind::variable;
      part.variable = find_variable(variable);
    } else {
      part.literal = value;
    }
  }
  return parts;
}

Value LogFormat::make(const std::vector<Part>& parts, Exchange& x, std::string_view body) {
  Value object = Value::object();
  for (const Part& part : parts) {
    switch (part.kind) {
      case Part::Kind::literal: object.set(part.name, part.literal); break;
      case Part::Kind::object: object.set(part.name, make(part.inner, x, body)); break;
      case Part::Kind::request_body:
        if (!body.empty()) object.set(part.name, body);
        break;
      case Part::Kind::variable:
        if (const auto value = part.variable.read(x)) object.set(part.name, *value);
        break;
    }
  }
  return object;
}

Value LogFormat::entry(Exchange& x, std::string_view body) const { return make(parts_, x, body); }

void LogConfig::describe(json::Fields& field) {
  field("log_format", log_format,
        "An entry of your own: names, and values or $variables. Above the metadata's.");
  field("log_format_extra", log_format_extra, "Names and $variables to add to the full entry.");
  field("include_req_body", include_req_body, "Tells the request's body, too.");
  field("include_req_body_expr", include_req_body_expr, "Conditions for that.").min_items(1);
  field("include_resp_body", include_resp_body, "Tells the response's body, too.");
  field("include_resp_body_expr", include_resp_body_expr, "Conditions for that.").min_items(1);
  field("max_req_body_bytes", max_req_body_bytes, "Bytes kept of a request's body.").at_least(1);
  field("max_resp_body_bytes", max_resp_body_bytes, "Bytes kept of a response's body.").at_least(1);
}

void LogMetadata::describe(json::Fields& field) {
  field("log_format", log_format, "An entry of your own: names, and values or $variables.");
  field("log_format_extra", log_format_extra, "Names and $variables to add to the full entry.");
  field("max_pending_entries", max_pending_entries,
        "Entries that wait on one worker to be sent by one logger; what is beyond is dropped.")
      .at_least(1);
  field.open();
}

void LogConfig::watch_request(Exchange& x, const Plugin& owner) const {
  if (!include_req_body || x.request.body == nullptr || !include_req_body_expr.hold(x)) return;
  auto& watched = x.state<Watched>(owner);
  watched.request = x.arena.make<TeeBody>(*x.request.body, static_cast<std::size_t>(max_req_body_bytes));
  x.request.body = watched.request;
}

void LogConfig::watch_response(Exchange& x, const Plugin& owner) const {
  if (!include_resp_body || !include_resp_body_expr.hold(x)) return;
  auto& watched = x.state<Watched>(owner);
  watched.response_wanted = true;
  if (x.response.body == nullptr || x.response.status == 101) return;
  watched.response = x.arena.make<TeeBody>(*x.response.body, static_cast<std::size_t>(max_resp_body_bytes));
  x.response.body = watched.response;
}

Value log_entry(Exchange& x, const Plugin& owner, const LogConfig& config, const LogMetadata& metadata) {
  const auto* found = x.existing_state<Watched>(owner);
  const Watched watched = found == nullptr ? Watched() : *found;
  const std::string_view body = watched.request == nullptr ? std::string_view() : watched.request->kept();
  const LogFormat& format = config.log_format.empty() ? metadata.log_format : config.log_format;
  if (!format.empty()) {
    Value entry = format.entry(x, body);
    if (x.route != nullptr) {
      if (!x.route->service_id.empty()) entry.set("service_id", x.route->service_id);
      entry.set("route_id", x.route->id);
    }
    return entry;
  }
  Value entry = x.stream != nullptr ? stream_entry(x) : full_entry(x, config, watched);
  const LogFormat& extra =
      config.log_format_extra.empty() ? metadata.log_format_extra : config.log_format_extra;
  if (extra.empty()) return entry;
  const Value more = extra.entry(x, body);
  for (const auto& [name, value] : more.as_object())
    if (entry.find(name) == nullptr) entry.set(name, value);
  return entry;
}

}  // namespace sluice::plugin

namespace sluice::json {

bool Codec<plugin::LogFormat>::read(const Value& in, plugin::LogFormat& out, Reader& reader) {
  if (!in.is_object()) return reader.wrong_type("object", in);
  out = plugin::LogFormat(in);
  return true;
}

}  // namespace sluice::json
