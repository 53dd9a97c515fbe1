// SPDX-License-Identifier: Apache-2.0
#include "plugin/variable.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/random.h"
#include "base/text.h"
#include "net/proxy_protocol.h"
#include "plugin/exchange.h"
#include "plugin/request_body.h"
#include "plugin/stream_variables.h"
#include "plugin/tls_variables.h"

namespace sluice::plugin {
namespace {

using Value = Variable::Value;
using http::HeaderId;

Value present(std::string_view text) { return text; }
// For what is either there or empty: empty is absent.
Value unless_empty(std::string_view text) { return text.empty() ? Value() : Value(text); }

template <class Number>
Value number_text(Exchange& x, Number number) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return x.arena.copy({buffer, static_cast<std::size_t>(end - buffer)});
}

// nginx writes times as seconds with three decimals.
Value seconds_text(Exchange& x, Duration time) {
  if (time < Duration::zero()) return std::nullopt;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  char buffer[32];
  char* at = std::to_chars(buffer, buffer + 20, milliseconds / 1000).ptr;
  *at++ = '.';
  const auto fraction = static_cast<int>(milliseconds % 1000);
  *at++ = static_cast<char>('0' + fraction / 100);
  *at++ = static_cast<char>('0' + fraction / 10 % 10);
  *at++ = static_cast<char>('0' + fraction % 10);
  return x.arena.copy({buffer, static_cast<std::size_t>(at - buffer)});
}

Value address_text(Exchange& x, const IpAddress& address) {
  char buffer[46];
  return x.arena.copy({buffer, address.format(buffer)});
}

std::string_view decoded(Exchange& x, std::string_view raw) {
  if (raw.find_first_of("%+") == std::string_view::npos) return raw;
  char* out = x.arena.text(raw.size());
  std::size_t length = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i] == '+' ? ' ' : raw[i];
    if (c == '%' && i + 2 < raw.size() && hex_digit(raw[i + 1]) >= 0 && hex_digit(raw[i + 2]) >= 0) {
      c = static_cast<char>(hex_digit(raw[i + 1]) * 16 + hex_digit(raw[i + 2]));
      i += 2;
    }
    out[length++] = c;
  }
  return {out, length};
}

// The first argument of that name; one without '=' is "true", as resty has it.
Value read_argument(Exchange& x, const Variable& variable) {
  const std::string_view name = variable.argument();
  for (std::string_view piece : Split(x.request.query, '&')) {
    const std::size_t equal = piece.find('=');
    const std::string_view key = piece.substr(0, equal);
    if (key.size() < name.size() || (key != name && (key.size() == name.size() || decoded(x, key) != name)))
      continue;
    if (equal == std::string_view::npos) {
      if (key.empty()) continue;
      return present("true");
    }
    return decoded(x, piece.substr(equal + 1));
  }
  return std::nullopt;
}

Value read_cookie(Exchange& x, const Variable& variable) {
  if (!x.request.headers.has(HeaderId::cookie)) return std::nullopt;
  for (const http::Header& header : x.request.headers) {
    if (header.id != HeaderId::cookie) continue;
    for (std::string_view piece : Split(header.value, ';')) {
      const std::size_t equal = piece.find('=');
      if (equal != std::string_view::npos && trim(piece.substr(0, equal)) == variable.argument()) {
        return trim(piece.substr(equal + 1));
      }
    }
  }
  return std::nullopt;
}

// "x_forwarded_for" names X-Forwarded-For and x_forwarded_for.
bool names_field(std::string_view variable, std::string_view field) {
  if (variable.size() != field.size()) return false;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i] == '-' ? '_' : lower(field[i]);
    if (c != variable[i]) return false;
  }
  return true;
}

// All fields of that name in one text; views into the buffer when there is one only.
Value read_field(Exchange& x, const http::Headers& headers, const Variable& variable,
                 std::string_view separator) {
  const auto id = static_cast<HeaderId>(variable.number());
  if (id != HeaderId::other && !headers.has(id)) return std::nullopt;
  Value found;
  for (const http::Header& header : headers) {
    const bool same = id != HeaderId::other ? header.id == id : names_field(variable.argument(), header.name);
    if (same) found = found ? x.arena.join(*found, separator, header.value) : header.value;
  }
  return found;
}

Value read_request_field(Exchange& x, const Variable& variable) {
  const bool cookie = variable.number() == static_cast<std::uint32_t>(HeaderId::cookie);
  return read_field(x, x.request.headers, variable, cookie ? "; " : ", ");
}
Value read_response_field(Exchange& x, const Variable& variable) {
  if (variable.number() == static_cast<std::uint32_t>(HeaderId::content_length) &&
      x.response.content_length >= 0) {
    return number_text(x, x.response.content_length);
  }
  return read_field(x, x.response.headers, variable, ", ");
}
Value read_host_field(Exchange& x, const Variable&) { return unless_empty(x.request.authority); }

Value read_uri_parameter(Exchange& x, const Variable& variable) {
  for (std::uint32_t i = 0; i < x.parameter_count; ++i) {
    if (x.parameters[i].name == variable.argument()) return x.parameters[i].value;
  }
  return std::nullopt;
}

Value read_request_id(Exchange& x, const Variable&) {
  if (x.request_id.empty()) {
    static constexpr char digits[] = "0123456789abcdef";
    char* text = x.arena.text(32);
    for (int half = 0; half < 2; ++half) {
      std::uint64_t word = thread_random().next();
      for (int i = 0; i < 16; ++i, word >>= 4) text[half * 16 + i] = digits[word & 15];
    }
    x.request_id = {text, 32};
  }
  return x.request_id;
}

// The user of Basic authentication (RFC 7617), without judging the password.
Value read_remote_user(Exchange& x, const Variable&) {
  const std::string_view field = x.request.headers.get(HeaderId::authorization);
  if (!starts_with_ignoring_case(field, "basic ")) return std::nullopt;
  std::string plain;
  if (!base64_decode(trim(field.substr(6)), plain)) return std::nullopt;
  const std::size_t colon = plain.find(':');
  return colon == std::string::npos ? Value()
                                    : unless_empty(x.arena.copy(std::string_view(plain).substr(0, colon)));
}

std::string_view protocol(const Exchange& x) {
  if (x.request.major_version == 2) return "HTTP/2.0";
  return x.request.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

std::tm local_time(std::int64_t wall) {
  const auto seconds = static_cast<std::time_t>(wall / 1'000'000'000);
  std::tm time{};
  localtime_r(&seconds, &time);
  return time;
}

Value read_time_local(Exchange& x, const Variable&) {
  const std::tm time = local_time(x.worker.loop.clock().wall());
  char buffer[40];
  return x.arena.copy({buffer, std::strftime(buffer, sizeof buffer, "%d/%b/%Y:%H:%M:%S %z", &time)});
}

Value read_time_iso8601(Exchange& x, const Variable&) {
  const std::tm time = local_time(x.worker.loop.clock().wall());
  char buffer[40];
  std::size_t length = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S%z", &time);
  if (length >= 2) {  // +0200 becomes +02:00
    buffer[length] = buffer[length - 1];
    buffer[length - 1] = buffer[length - 2];
    buffer[length - 2] = ':';
    ++length;
  }
  return x.arena.copy({buffer, length});
}

std::string_view host_name() {
  static const std::string name = [] {
    char buffer[256] = {};
    return std::string(gethostname(buffer, sizeof buffer - 1) == 0 ? buffer : "unknown");
  }();
  return name;
}

Value read_binary_address(Exchange& x, const Variable&) {
  unsigned char bytes[16];
  const std::size_t size = x.remote.address.bytes(bytes);
  return x.arena.copy({reinterpret_cast<const char*>(bytes), size});
}

// What X-Forwarded-For says to the upstream (nginx's name).
Value read_forwarded_for(Exchange& x, const Variable&) {
  const auto before = x.request.headers.joined("X-Forwarded-For");
  const std::string_view client = x.client_text.empty() ? *address_text(x, x.client.address) : x.client_text;
  return before ? x.arena.join(*before, ", ", client) : client;
}

Value read_unresolved_host(Exchange& x, const Variable&) {
  const auto parts = split_host_port(x.upstream.authority);
  return parts ? Value(parts->host) : std::nullopt;
}

// The value of a cookie that the response sets.
Value read_response_cookie(Exchange& x, const Variable& variable) {
  for (const http::Header& header : x.response.headers) {
    if (!equals_ignoring_case(header.name, "set-cookie")) continue;
    const std::string_view pair = header.value.substr(0, header.value.find(';'));
    const std::size_t equal = pair.find('=');
    if (equal != std::string_view::npos && trim(pair.substr(0, equal)) == variable.argument())
      return trim(pair.substr(equal + 1));
  }
  return std::nullopt;
}

using Ends = net::ProxyHeader::Ends;
Value read_proxy_header(Exchange& x, const Endpoint Ends::* end, bool port) {
  if (x.proxy_header == nullptr || !x.proxy_header->ends) return std::nullopt;
  const Endpoint& told = *x.proxy_header->ends.*end;
  return port ? number_text(x, told.port) : address_text(x, told.address);
}

// For names that have no value here: those of caches, of language models.
Value read_nothing(Exchange&, const Variable&) { return std::nullopt; }

Value read_https(Exchange& x, const Variable&) { return present(x.request.secure ? "on" : ""); }

struct Entry {
  std::string_view name;
  Variable::Read read;
};

// Captureless lambdas become plain functions: one line a variable.
#define SLUICE_VARIABLE(name, expression)                                                   \
  Entry {                                                                                   \
    name, []([[maybe_unused]] Exchange& x, const Variable&) -> Value { return expression; } \
  }

constexpr std::array request_entries = {
    SLUICE_VARIABLE("uri", present(x.request.path)),
    SLUICE_VARIABLE("document_uri", present(x.request.path)),
    SLUICE_VARIABLE("request_uri", present(x.request.target)),
    SLUICE_VARIABLE("args", unless_empty(x.request.query)),
    SLUICE_VARIABLE("query_string", unless_empty(x.request.query)),
    SLUICE_VARIABLE("is_args", present(x.request.query.empty() ? "" : "?")),
    SLUICE_VARIABLE("host", present(x.request.host)),
    SLUICE_VARIABLE("scheme", present(x.request.secure ? "https" : "http")),
    SLUICE_VARIABLE("request_method", present(x.request.method)),
    SLUICE_VARIABLE("method", present(x.request.method)),
    SLUICE_VARIABLE("request", x.arena.join(x.request.method, " ", x.request.target, " ", protocol(x))),
    SLUICE_VARIABLE("request_line", x.arena.join(x.request.method, " ", x.request.target, " ", protocol(x))),
    SLUICE_VARIABLE("server_protocol", present(protocol(x))),
    SLUICE_VARIABLE("request_length", number_text(x, x.request_size)),
    SLUICE_VARIABLE("request_time", seconds_text(x, x.worker.loop.now() - x.started)),
    SLUICE_VARIABLE("content_type", unless_empty(x.request.headers.get(HeaderId::content_type))),
    SLUICE_VARIABLE("content_length", unless_empty(x.request.headers.get(HeaderId::content_length))),
    SLUICE_VARIABLE("cookie", unless_empty(x.request.headers.get(HeaderId::cookie))),
    Entry{"http_host", read_host_field},
    Entry{"https", read_https},
    Entry{"remote_user", read_remote_user},
    Entry{"request_id", read_request_id},
    Entry{"apisix_request_id", read_request_id},
    SLUICE_VARIABLE("jwt_auth_payload", unless_empty(x.jwt_payload)),
    SLUICE_VARIABLE("request_type", present("traditional_http")),
    SLUICE_VARIABLE("pipe", present(".")),
    Entry{"proxy_add_x_forwarded_for", read_forwarded_for},
};

constexpr std::array connection_entries = {
    SLUICE_VARIABLE("remote_addr",
                    x.remote_text.empty() ? address_text(x, x.remote.address) : present(x.remote_text)),
    Entry{"binary_remote_addr", read_binary_address},
    SLUICE_VARIABLE("remote_port", number_text(x, x.remote.port)),
    SLUICE_VARIABLE("realip_remote_addr", address_text(x, x.client.address)),
    SLUICE_VARIABLE("realip_remote_port", number_text(x, x.client.port)),
    SLUICE_VARIABLE("server_addr", address_text(x, x.server.address)),
    SLUICE_VARIABLE("server_port", number_text(x, x.server.port)),
    SLUICE_VARIABLE("proxy_protocol_addr", read_proxy_header(x, &Ends::source, false)),
    SLUICE_VARIABLE("proxy_protocol_port", read_proxy_header(x, &Ends::source, true)),
    SLUICE_VARIABLE("proxy_protocol_server_addr", read_proxy_header(x, &Ends::destination, false)),
    SLUICE_VARIABLE("proxy_protocol_server_port", read_proxy_header(x, &Ends::destination, true)),
    SLUICE_VARIABLE("connection", number_text(x, x.connection_number)),
    SLUICE_VARIABLE("connection_requests", number_text(x, x.connection_requests)),
    SLUICE_VARIABLE("server_name", present("_")),
    SLUICE_VARIABLE("hostname", present(host_name())),
    SLUICE_VARIABLE("pid", number_text(x, getpid())),
    SLUICE_VARIABLE("nginx_version", present(SLUICE_VERSION)),
    SLUICE_VARIABLE("msec", seconds_text(x, Duration(x.worker.loop.clock().wall()))),
    Entry{"time_local", read_time_local},
    Entry{"time_iso8601", read_time_iso8601},
};

constexpr std::array response_entries = {
    SLUICE_VARIABLE("status", x.response.status > 0 ? number_text(x, x.response.status) : Value()),
    SLUICE_VARIABLE("bytes_sent", number_text(x, x.response_size)),
    SLUICE_VARIABLE("body_bytes_sent", number_text(x, x.response_body_size)),
    SLUICE_VARIABLE("request_completion", present("OK")),
    SLUICE_VARIABLE("upstream_addr", unless_empty(x.upstream.addresses)),
    SLUICE_VARIABLE("upstream_status", unless_empty(x.upstream.statuses)),
    SLUICE_VARIABLE("upstream_response_time", seconds_text(x, x.upstream.response_time)),
    SLUICE_VARIABLE("apisix_upstream_response_time", seconds_text(x, x.upstream.response_time)),
    SLUICE_VARIABLE("upstream_connect_time", seconds_text(x, x.upstream.connect_time)),
    SLUICE_VARIABLE("upstream_header_time", seconds_text(x, x.upstream.header_time)),
    SLUICE_VARIABLE("upstream_bytes_received", number_text(x, x.upstream.bytes_received)),
    SLUICE_VARIABLE("upstream_response_length", number_text(x, x.upstream.bytes_received)),
    SLUICE_VARIABLE("upstream_bytes_sent", number_text(x, x.upstream.bytes_sent)),
    SLUICE_VARIABLE("upstream_scheme", present(x.upstream.scheme)),
    SLUICE_VARIABLE("upstream_host", unless_empty(x.upstream.host)),
    SLUICE_VARIABLE("upstream_uri",
                    present(x.upstream.target.empty() ? x.request.target : x.upstream.target)),
    Entry{"upstream_unresolved_host", read_unresolved_host},
    Entry{"upstream_cache_status", read_nothing},
    SLUICE_VARIABLE("balancer_ip", unless_empty(x.upstream.balancer_ip)),
    SLUICE_VARIABLE("balancer_port",
                    x.upstream.balancer_port ? number_text(x, x.upstream.balancer_port) : Value()),
};

constexpr std::array gateway_entries = {
    SLUICE_VARIABLE("route_id", x.route ? unless_empty(x.route->id) : Value()),
    SLUICE_VARIABLE("route_name", x.route ? unless_empty(x.route->name) : Value()),
    SLUICE_VARIABLE("service_id", x.route ? unless_empty(x.route->service_id) : Value()),
    SLUICE_VARIABLE("service_name", x.route ? unless_empty(x.route->service_name) : Value()),
    SLUICE_VARIABLE("consumer_name", unless_empty(x.consumer_name)),
    SLUICE_VARIABLE("consumer_group_id", x.consumer ? unless_empty(x.consumer->group_id) : Value()),
    SLUICE_VARIABLE("matched_uri", unless_empty(x.matched_uri)),
    SLUICE_VARIABLE("matched_host", unless_empty(x.matched_host)),
};
#undef SLUICE_VARIABLE

template <std::size_t size>
Variable::Read find_in(const std::array<Entry, size>& entries, std::string_view name) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : found->read;
}

// "X-Foo", "x_foo" → the field's id if it has one, and the name to compare with.
Variable field_variable(Variable::Read read, std::string_view name) {
  std::string dashed = lowered(name), underscored = dashed;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  std::replace(underscored.begin(), underscored.end(), '-', '_');
  return Variable(read, std::move(underscored), static_cast<std::uint32_t>(http::header_id(dashed)));
}

}  // namespace

Variable find_variable(std::string_view name) {
  for (const auto read : {find_in(request_entries, name), find_in(connection_entries, name),
                          find_in(response_entries, name), find_in(gateway_entries, name)}) {
    if (read != nullptr) return Variable(read);
  }
  if (auto of_stream = find_stream_variable(name)) return of_stream;
  const auto rest = [&](std::string_view prefix) {
    return name.substr(std::min(prefix.size(), name.size()));
  };
  if (name.starts_with("arg_")) return Variable(read_argument, std::string(rest("arg_")));
  if (name.starts_with("cookie_")) return Variable(read_cookie, std::string(rest("cookie_")));
  if (name.starts_with("http_")) {
    Variable field = field_variable(read_request_field, rest("http_"));
    return field.argument() == "host" ? Variable(read_host_field) : field;
  }
  if (name.starts_with("sent_http_")) return field_variable(read_response_field, rest("sent_http_"));
  if (name.starts_with("upstream_http_")) return field_variable(read_response_field, rest("upstream_http_"));
  if (name.starts_with("post_arg") || name.starts_with("graphql_") || name == "request_body")
    return find_body_variable(name);
  if (name.starts_with("upstream_cookie_"))
    return Variable(read_response_cookie, std::string(rest("upstream_cookie_")));
  if (name.starts_with("ssl_")) return find_tls_variable(name);
  if (name.starts_with("llm_") || name == "request_llm_model")
    return Variable(read_nothing);
  if (name.starts_with("uri_param_")) return Variable(read_uri_parameter, std::string(rest("uri_param_")));
  return {};
}

}  // namespace sluice::plugin
