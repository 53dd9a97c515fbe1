// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <algorithm>
#include <cstring>

#include "http/bytes.h"

namespace sluice::http {
namespace {

struct Cursor {
  const char* begin;
  const char* at;
  const char* end;
  bool exhausted() const { return at == end; }
};

constexpr Parsed more{};
constexpr Parsed refuse(int status, const char* why) { return {Parsed::refused, 0, status, why}; }

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

template <bool (*belongs)(char)>
const char* scan(const char* at, const char* end) {
  while (at < end && belongs(*at)) ++at;
  return at;
}

// The name of a field line, up to its colon. Null with `refusal` set when there is none; null without when
// more bytes are needed.
const char* parse_name(const char* line, const char* end, const HeadLimits& limits, Header& field,
                       Parsed& refusal) {
  const char* colon = find_near_colon(line, end);
  field.name = {line, static_cast<std::size_t>(colon - line)};
  field.id = header_id(field.name);
  if (field.id != HeaderId::other && colon != end && *colon == ':')
    return colon;  // a known name is a good one
  colon = scan<is_token>(line, end);
  if (colon == end) {
    if (colon - line > limits.field_bytes_max) refusal = refuse(431, "a field that is too long");
    return nullptr;
  }
  if (*colon != ':' || colon == line) {
    const bool folded = *line == ' ' || *line == '\t';
    refusal = refuse(400, folded          ? "a field folded over several lines"
                          : *colon == ' ' ? "a space before a colon"
                                          : "a bad field name");
    return nullptr;
  }
  field.name = {line, static_cast<std::size_t>(colon - line)};
  return colon;
}

// Where a line ends, at its CR: null like parse_name.
const char* parse_value(const char* line, const char* at, const char* end, const HeadLimits& limits,
                        Header& field, Parsed& refusal) {
  while (at < end && (*at == ' ' || *at == '\t')) ++at;
  const char* stop = scan_field(at, end);
  if (stop - line > limits.field_bytes_max) {
    refusal = refuse(431, "a field that is too long");
    return nullptr;
  }
  if (end - stop >= 2 && stop[0] == '\r' && stop[1] == '\n') [[likely]] {
    const char* value_end = stop;
    while (value_end > at && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
    field.value = {at, static_cast<std::size_t>(value_end - at)};
    field.raw = value_end == stop;
    return stop;
  }
  if (stop != end && *stop != '\r') {
    refusal = refuse(400, *stop == '\n' ? "a bare LF" : "a control character in a field");
  } else if (end - stop >= 2) {
    refusal = refuse(400, "a CR without LF");
  }
  return nullptr;
}

// A field as almost every one comes: a name, a colon, at most one space, a value, CRLF, and not at the very
// end of what has been read. Where the next line begins; null when a closer look is needed.
const char* take_plain_field(const char* line, const char* end, std::ptrdiff_t line_max, Header& field) {
  if (end - line < 16) return nullptr;
  const char* const colon = find_near_colon(line, end);
  if (colon == end || *colon != ':') return nullptr;
  const auto name_size = static_cast<std::size_t>(colon - line);
  const HeaderId id = header_id_near(line, name_size);
  if (id == HeaderId::other && (name_size == 0 || scan<is_token>(line, colon) != colon)) return nullptr;
  const char* value = colon + 1;
  value += value != end && *value == ' ';
  const char* const stop = scan_field(value, end, line);
  if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n' || stop - line > line_max) return nullptr;
  if (is_blank(*value) || is_blank(stop[-1])) return nullptr;
  field = {{line, name_size}, {value, static_cast<std::size_t>(stop - value)}, id, true};
  return stop + 2;
}

// Any other field line: where the next one begins, or null with `refusal` set, or null when more is needed.
const char* take_field(const char* line, const char* end, const HeadLimits& limits, Header& field,
                       Parsed& refusal) {
  const char* colon = line < end ? parse_name(line, end, limits, field, refusal) : nullptr;
  const char* stop = colon != nullptr ? parse_value(line, colon + 1, end, limits, field, refusal) : nullptr;
  return stop != nullptr ? stop + 2 : nullptr;
}

Parsed parse_fields(Cursor& in, const HeadLimits& limits, Headers& headers) {
  const char* const latest_end = in.begin + limits.head_bytes_max;
  Parsed refusal = more;
  for (const char* at = in.at;;) {
    if (at < in.end && *at == '\r') {
      if (at + 1 == in.end) return more;
      if (at[1] != '\n') return refuse(400, "a CR without LF");
      in.at = at + 2;
      return {Parsed::whole, static_cast<std::uint32_t>(in.at - in.begin)};
    }
    if (headers.size() == limits.fields_max)  // what comes may be the end
      return at == in.end ? more : refuse(431, "too many fields");
    Header& field = headers.next();
    const char* next = take_plain_field(at, in.end, limits.field_bytes_max, field);
    if (next == nullptr) [[unlikely]] next = take_field(at, in.end, limits, field, refusal);
    if (next == nullptr) {
      const bool too_long = refusal.outcome == Parsed::incomplete && in.end > latest_end;
      return too_long ? refuse(431, "a head that is too long") : refusal;
    }
    at = next;
    if (at > latest_end) return refuse(431, "a head that is too long");
    headers.took(field);
  }
}

// Content-Length and Transfer-Encoding, together the framing (RFC 9112 §6).
struct Framing {
  bool chunked = false;
  std::int64_t length = unknown_length;
  const char* problem = nullptr;
  bool unknown_coding = false;
};

bool parse_length(std::string_view text, std::int64_t& length) {
  if (text.empty() || text.size() > 18) return false;
  length = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    length = length * 10 + (c - '0');
  }
  return true;
}

Framing framing_of(const Headers& headers) {
  Framing framing;
  if ((headers.seen() & mask(HeaderId::content_length, HeaderId::transfer_encoding)) == 0) return framing;
  if (const Header* length = headers.find(HeaderId::content_length)) {
    if (!parse_length(length->value, framing.length)) framing.problem = "a bad Content-Length";
  }
  if (const Header* coding = headers.find(HeaderId::transfer_encoding)) {
    framing.chunked = equal_ignoring_case(coding->value, "chunked");
    framing.unknown_coding = !framing.chunked;
  }
  if (headers.repeated(HeaderId::content_length)) framing.problem = "more than one Content-Length";
  if (headers.repeated(HeaderId::transfer_encoding)) framing.problem = "more than one Transfer-Encoding";
  if (headers.has(HeaderId::content_length) && headers.has(HeaderId::transfer_encoding)) {
    framing.problem = "Content-Length and Transfer-Encoding together";
  }
  return framing;
}

// What may stand in an authority, and where its letters are large.
enum HostByte : std::uint8_t { no_host_byte = 0, host_byte = 1, large_letter = 3 };
constexpr auto host_bytes = [] {
  std::array<std::uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool belongs = is_token(byte) || std::string_view(":[](),;=").contains(byte);
    if (belongs) table[static_cast<std::size_t>(c)] = byte >= 'A' && byte <= 'Z' ? large_letter : host_byte;
  }
  return table;
}();

bool is_port(std::string_view digits) {
  return digits.size() <= 5 && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
}

// Splits an authority, which stands behind the method, and lowers its case; false when it is none.
bool take_authority(std::string_view authority, Request& request) {
  if (const auto end = end_of_plain_host(authority, request.method.data()); end != std::string_view::npos) {
    if (end != authority.size() && !is_port(authority.substr(end + 1))) return false;
    request.authority = authority;
    request.host = authority.substr(0, end);
    if (end > 1 && authority[end - 1] == '.') request.host.remove_suffix(1);
    return true;
  }
  unsigned all = host_byte, any = 0;
  std::size_t colon = std::string_view::npos;
  for (std::size_t i = 0; i < authority.size(); ++i) {
    const unsigned kind = host_bytes[static_cast<unsigned char>(authority[i])];
    all &= kind;
    any |= kind;
    if (authority[i] == ':' && colon == std::string_view::npos) colon = i;
  }
  if (all == 0) return false;
  std::string_view host = authority.substr(0, colon);
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return false;
    const auto rest = authority.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return false;
    host = authority.substr(0, close + 1);
  }
  const std::string_view port = authority.substr(host.size());
  if (!is_port(port.substr(port.empty() ? 0 : 1))) return false;
  request.authority = authority;
  if (any == large_letter) {
    char* lower = request.arena.text(host.size());
    std::ranges::transform(host, lower, to_lower);
    host = {lower, host.size()};
  }
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
  request.host = host;
  return true;
}

// absolute-form (RFC 9112 §3.2.2): the authority in the target counts, not the Host field.
bool take_absolute_form(std::string_view& target, std::string_view& authority) {
  std::string_view rest = target;
  if (rest.size() > 7 && equal_ignoring_case(rest.substr(0, 7), "http://")) rest.remove_prefix(7);
  else if (rest.size() > 8 && equal_ignoring_case(rest.substr(0, 8), "https://")) rest.remove_prefix(8);
  else return false;
  const std::size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  authority = rest.substr(0, slash);
  target = rest.substr(slash);
  return !authority.empty() && authority.find('@') == std::string_view::npos;
}

Parsed interpret_target(Request& request, TargetLook look) {
  std::string_view target = request.target, authority;
  const auto* host = request.headers.find(HeaderId::host);
  if (target.front() != '/' && target != "*") {
    if (!take_absolute_form(target, authority)) return refuse(400, "a bad target");
    if (target.empty() || target.front() == '?') target = request.arena.join(std::string_view("/"), target);
    request.target = target;
    look = look_at_target(target.data(), target.data() + target.size());
  } else if (host != nullptr) {
    authority = host->value;
  }
  if (target == "*" && request.method_id != Method::options)
    return refuse(400, "a target of * without OPTIONS");
  if (!take_authority(authority, request)) return refuse(400, "a bad Host");
  const auto mark = static_cast<std::size_t>(look.mark - target.data());
  if (mark < target.size() && target[mark] == '#') return refuse(400, "a fragment in the target");
  request.query = target.substr(std::min(mark + 1, target.size()));
  const std::string_view path = target.substr(0, mark);
  if (look.plain_path) request.path = path;
  else if (!normalize_path(path, request.arena, request.path)) return refuse(400, "a bad path");
  return {Parsed::whole};
}

Parsed interpret_request(Request& request, const TargetLook& look) {
  const Headers& headers = request.headers;
  const Framing framing = framing_of(headers);
  if (framing.problem != nullptr) return refuse(400, framing.problem);
  if (framing.unknown_coding) return refuse(501, "a transfer coding other than chunked");
  if (framing.chunked && request.minor_version == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
  request.content_length = framing.chunked ? unknown_length : std::max<std::int64_t>(framing.length, 0);

  request.keep_alive = request.minor_version > 0;
  if (headers.seen() & mask(HeaderId::connection, HeaderId::expect, HeaderId::upgrade)) {
    bool closes = false;
    for (const Header& header : headers) {
      if (header.id == HeaderId::connection) {
        closes |= has_token(header.value, "close");
        if (request.minor_version == 0) request.keep_alive |= has_token(header.value, "keep-alive");
        request.upgrade |= has_token(header.value, "upgrade");
      } else if (header.id == HeaderId::expect) {
        if (!equal_ignoring_case(header.value, "100-continue")) return refuse(417, "an unknown expectation");
        request.expects_continue = request.minor_version > 0;
      }
    }
    request.keep_alive &= !closes;
    request.upgrade &= headers.has(HeaderId::upgrade) && request.minor_version > 0;
  }
  if (headers.repeated(HeaderId::host)) return refuse(400, "more than one Host");
  if (!headers.has(HeaderId::host) && request.minor_version > 0) return refuse(400, "no Host");
  if (request.method_id == Method::connect) return refuse(405, "CONNECT");
  return interpret_target(request, look);
}

// "GET /target HTTP/1.1\r\n"
Parsed parse_request_line(Cursor& in, const HeadLimits& limits, Request& request, TargetLook& look) {
  constexpr std::uint32_t method_max = 32;
  const char* start = in.at;
  const char* at = scan<is_token>(start, in.end);
  if (at - start > method_max) return refuse(400, "a method that is too long");
  if (at == in.end) return more;
  if (*at != ' ' || at == start) return refuse(400, "a bad method");
  request.method = {start, static_cast<std::size_t>(at - start)};
  const char* target = ++at;
  look = look_at_target(target, in.end);
  at = look.end;
  if (at - target > limits.target_bytes_max) return refuse(414, "a target that is too long");
  if (at == in.end) return more;
  if (*at != ' ' || at == target) return refuse(400, "a bad request line");
  request.target = {target, static_cast<std::size_t>(at - target)};
  ++at;
  constexpr std::string_view version = "HTTP/";
  const auto left = static_cast<std::size_t>(in.end - at);
  if (std::memcmp(at, version.data(), std::min(left, version.size())) != 0)
    return refuse(400, "a bad version");
  if (left < 10) return more;
  if (at[6] != '.' || at[8] != '\r' || at[9] != '\n') return refuse(400, "a bad version");
  if (at[5] != '1') return refuse(505, "a version other than HTTP/1");
  if (at[7] < '0' || at[7] > '9') return refuse(400, "a bad version");
  request.minor_version = at[7] == '0' ? 0 : 1;
  request.method_id = method_of(request.method);
  in.at = at + 10;
  return {Parsed::whole};
}

}  // namespace

Parsed parse_request(std::string_view bytes, const HeadLimits& limits, Request& request) {
  Cursor in{bytes.data(), bytes.data(), bytes.data() + bytes.size()};
  request.headers.clear();
  for (int empty_lines = 0; in.end - in.at >= 2 && in.at[0] == '\r' && in.at[1] == '\n'; in.at += 2) {
    if (++empty_lines > 4) return refuse(400, "empty lines before the request");
  }
  if (in.exhausted() || (in.end - in.at == 1 && *in.at == '\r')) return more;
  TargetLook look{};
  Parsed parsed = parse_request_line(in, limits, request, look);
  if (parsed.outcome != Parsed::whole) return parsed;
  parsed = parse_fields(in, limits, request.headers);
  if (parsed.outcome != Parsed::whole) return parsed;
  request.head_size = parsed.size;
  const Parsed meaning = interpret_request(request, look);
  return meaning.outcome == Parsed::refused ? meaning : parsed;
}

Parsed parse_response(std::string_view bytes, const HeadLimits& limits, Response& response) {
  Cursor in{bytes.data(), bytes.data(), bytes.data() + bytes.size()};
  response.headers.clear();
  constexpr std::string_view version = "HTTP/1.";
  if (!version.starts_with(bytes.substr(0, version.size()))) return refuse(502, "not HTTP/1");
  if (bytes.size() < 14) return more;
  const char* at = in.at;
  const auto digit = [&](int i) { return at[i] >= '0' && at[i] <= '9' ? at[i] - '0' : -1000; };
  response.status = digit(9) * 100 + digit(10) * 10 + digit(11);
  if (digit(7) < 0 || at[8] != ' ' || response.status < 100 || (at[12] != ' ' && at[12] != '\r')) {
    return refuse(502, "a bad status line");
  }
  response.minor_version = at[7] == '0' ? 0 : 1;
  const char* reason = at + (at[12] == ' ' ? 13 : 12);
  const char* stop = scan_field(reason, in.end);
  if (stop - reason > limits.field_bytes_max) return refuse(502, "a status line that is too long");
  if (in.end - stop < 2) return more;
  if (stop[0] != '\r' || stop[1] != '\n') return refuse(502, "a bad status line");
  response.reason = {reason, static_cast<std::size_t>(stop - reason)};
  in.at = stop + 2;
  Parsed parsed = parse_fields(in, limits, response.headers);
  if (parsed.outcome == Parsed::refused) parsed.status = 502;
  if (parsed.outcome != Parsed::whole) return parsed;
  const Framing framing = framing_of(response.headers);
  if (framing.problem != nullptr) return refuse(502, framing.problem);
  if (framing.unknown_coding) return refuse(502, "a transfer coding other than chunked");
  response.content_length = framing.length;
  response.keep_alive = response.minor_version > 0;
  if (!response.headers.has(HeaderId::connection)) return parsed;
  for (const Header& header : response.headers) {
    if (header.id != HeaderId::connection) continue;
    if (has_token(header.value, "close")) response.keep_alive = false;
    else if (has_token(header.value, "keep-alive")) response.keep_alive = true;
  }
  return parsed;
}

Parsed parse_trailers(std::string_view bytes, const HeadLimits& limits, Headers& trailers) {
  Cursor in{bytes.data(), bytes.data(), bytes.data() + bytes.size()};
  trailers.clear();
  return parse_fields(in, limits, trailers);
}

}  // namespace sluice::http
