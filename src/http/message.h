// SPDX-License-Identifier: Apache-2.0
// One request and one response, as the gateway holds them. Everything is a view into a read buffer or the
// exchange's arena and lives until the exchange has been logged. Bodies are pulled: `next` gives the next
// piece, and not calling it is back-pressure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/task.h"
#include "base/arena.h"
#include "base/result.h"
#include "http/headers.h"

namespace sluice::http {

enum class Method : std::uint8_t { other, get, head, post, put, del, patch, options, connect, trace, purge };

Method method_of(std::string_view name);
std::string_view name_of(Method method);  // "" for `other`
// Whether asking twice is the same as asking once (RFC 9110 §9.2.2).
bool idempotent(Method method);

// A stream of bytes of known or unknown length.
class Body {
 public:
  virtual ~Body() = default;
  // The next piece, empty at the end. A piece lives until the next call. Ready when the bytes are there
  // already.
  virtual async::Task<Result<std::string_view>> next() = 0;
  // Whether the piece returned last was the end of it: saves a call and, on the wire, a write.
  virtual bool ended() const = 0;
  // Fields behind the body (RFC 9110 §6.5), once it has ended; null when there are none.
  virtual const Headers* trailers() const { return nullptr; }
  // All of it, when it is in memory and nothing was taken yet: it can be sent again. Stays valid after
  // `next`.
  virtual std::optional<std::string_view> whole() const { return std::nullopt; }
};

inline constexpr std::int64_t unknown_length = -1;

struct Request {
  explicit Request(Arena& memory) : arena(memory), headers(memory) {}

  Arena& arena;
  std::string_view method;
  Method method_id = Method::other;
  std::string_view target;  // as received: "/a%20b?x=1"
  std::string_view path;    // decoded, dots and double slashes resolved (nginx's $uri)
  std::string_view query;   // behind the '?', raw
  std::string_view host;    // the authority in lower case without its port
  std::string_view authority;  // the Host field, or the authority of an absolute-form target
  int major_version = 1;
  int minor_version = 1;    // of HTTP/1
  bool secure = false;      // came over TLS
  Headers headers;
  std::uint32_t head_size = 0;      // bytes on the wire
  std::int64_t content_length = 0;  // unknown_length when chunked
  bool keep_alive = true;           // the client wants to go on
  bool upgrade = false;             // Connection: upgrade, with an Upgrade field
  bool expects_continue = false;
  Body* body = nullptr;             // null when there is none

  bool has_body() const { return body != nullptr; }
};

struct Response {
  explicit Response(Arena& memory) : headers(memory) {}

  int status = 0;
  int minor_version = 1;
  std::string_view reason;  // "" gives the standard one
  Headers headers;
  bool keep_alive = true;   // as received: whether the connection goes on behind it
  std::int64_t content_length = unknown_length;  // of the body to send; chunked when unknown
  Body* body = nullptr;                          // what is streamed, or null:
  std::string_view content;                      // then this is the body
};

// An answer made here, not by an upstream.
struct Reply {
  int status = 200;
  std::string body;
  std::string content_type;  // "" leaves it out when the body is empty, else text/plain; charset=utf-8
  std::vector<std::pair<std::string, std::string>> headers;
};

// "200": the three digits of a status, 100 to 999.
std::string_view digits_of(int status);
// "Not Found" for 404; "" for a status nobody named.
std::string_view reason_of(int status);

// Percent-decoding, dot segments and double slashes resolved, as nginx makes $uri of a target. Nothing is
// copied when nothing has to change. False for a bad escape, a NUL, or dots that climb above the root.
enum class EncodedSlash : std::uint8_t { decoded, kept };  // kept: "%2F" stays as it is and separates nothing
bool normalize_path(std::string_view raw, Arena& arena, std::string_view& path,
                    EncodedSlash slash = EncodedSlash::decoded);

}  // namespace sluice::http
