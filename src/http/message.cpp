// SPDX-License-Identifier: Apache-2.0
#include "http/message.h"

#include <algorithm>
#include <array>

#include "base/result.h"
#include "http/bytes.h"

namespace sluice::http {
namespace {

constexpr std::array<std::string_view, 11> methods{"",      "GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                   "PATCH", "OPTIONS", "CONNECT", "TRACE", "PURGE"};

struct Reason {
  int status;
  std::string_view text;
};
constexpr std::array reasons{
    Reason{100, "Continue"},
    Reason{101, "Switching Protocols"},
    Reason{103, "Early Hints"},
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{203, "Non-Authoritative Information"},
    Reason{204, "No Content"},
    Reason{205, "Reset Content"},
    Reason{206, "Partial Content"},
    Reason{207, "Multi-Status"},
    Reason{300, "Multiple Choices"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{303, "See Other"},
    Reason{304, "Not Modified"},
    Reason{307, "Temporary Redirect"},
    Reason{308, "Permanent Redirect"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{402, "Payment Required"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{406, "Not Acceptable"},
    Reason{408, "Request Time-out"},
    Reason{409, "Conflict"},
    Reason{410, "Gone"},
    Reason{411, "Length Required"},
    Reason{412, "Precondition Failed"},
    Reason{413, "Request Entity Too Large"},
    Reason{414, "Request-URI Too Large"},
    Reason{415, "Unsupported Media Type"},
    Reason{416, "Range Not Satisfiable"},
    Reason{417, "Expectation Failed"},
    Reason{421, "Misdirected Request"},
    Reason{422, "Unprocessable Content"},
    Reason{426, "Upgrade Required"},
    Reason{428, "Precondition Required"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Temporarily Unavailable"},
    Reason{504, "Gateway Time-out"},
    Reason{505, "HTTP Version Not Supported"},
    Reason{507, "Insufficient Storage"},
};

// Whether the path needs work: an escape, a double slash, or a segment that begins with a dot.
bool is_plain(std::string_view raw) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '%') return false;
    if (raw[i] == '/' && i + 1 < raw.size() && (raw[i + 1] == '/' || raw[i + 1] == '.')) return false;
  }
  return true;
}

bool decode(std::string_view raw, char* out, std::size_t& size, EncodedSlash slash) {
  size = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      if (i + 2 >= raw.size()) return false;
      const int high = hex_digit(raw[i + 1]), low = hex_digit(raw[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      if (c == '\0') return false;
      if (c == '/' && slash == EncodedSlash::kept) {
        out[size++] = '%';
        continue;  // the two digits follow as they are
      }
      i += 2;
    }
    out[size++] = c;
  }
  return true;
}

// Resolves "//", "/./" and "/../" in place. False when the dots climb above the root.
bool resolve_segments(char* text, std::size_t& size) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < size;) {
    std::size_t end = i + 1;  // text[i] is '/'
    while (end < size && text[end] != '/') ++end;
    const std::string_view segment(text + i + 1, end - i - 1);
    const bool last = end == size;
    if (segment.empty() || segment == ".") {
      if (last) text[out++] = '/';
    } else if (segment == "..") {
      if (out == 0) return false;
      while (text[--out] != '/') {
      }
      if (last) text[out++] = '/';
    } else {
      std::copy(text + i, text + end, text + out);
      out += end - i;
    }
    i = end;
  }
  if (out == 0) text[out++] = '/';
  size = out;
  return true;
}

}  // namespace

Method method_of(std::string_view name) {
  if (name == "GET") return Method::get;  // most are
  for (std::size_t i = 1; i < methods.size(); ++i) {
    if (methods[i] == name) return static_cast<Method>(i);
  }
  return Method::other;
}

std::string_view name_of(Method method) { return methods[static_cast<std::size_t>(method)]; }

bool idempotent(Method method) {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::put:
    case Method::del:
    case Method::options:
    case Method::trace:
      return true;
    default:
      return false;
  }
}

std::string_view digits_of(int status) {
  static constexpr auto digits = [] {
    std::array<char, 3000> all{};
    for (int i = 0; i < 1000; ++i) {
      char* at = &all[static_cast<std::size_t>(i) * 3];
      at[0] = static_cast<char>('0' + i / 100);
      at[1] = static_cast<char>('0' + i / 10 % 10);
      at[2] = static_cast<char>('0' + i % 10);
    }
    return all;
  }();
  SLUICE_CHECK(status >= 0 && status < 1000);
  return {&digits[static_cast<std::size_t>(status) * 3], 3};
}

std::string_view reason_of(int status) {
  const auto* found = std::ranges::lower_bound(reasons, status, {}, &Reason::status);
  return found != reasons.end() && found->status == status ? found->text : std::string_view();
}

bool normalize_path(std::string_view raw, Arena& arena, std::string_view& path, EncodedSlash slash) {
  if (is_plain(raw)) {
    path = raw;
    return true;
  }
  char* text = arena.text(raw.size() + 1);
  std::size_t size = 0;
  if (!decode(raw, text, size, slash)) return false;
  if (size == 0 || text[0] != '/') {  // "*" of OPTIONS, or an encoded first slash
    path = {text, size};
    return true;
  }
  if (!resolve_segments(text, size)) return false;
  path = {text, size};
  return true;
}

}  // namespace sluice::http
