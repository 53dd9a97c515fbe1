// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request's head, a response's head and trailers: what is read whole must be read the same
// byte for byte as it arrives, its views must lie inside the bytes, and its framing must be unambiguous.
#include <string>

#include "base/arena.h"
#include "base/result.h"
#include "http/head_writer.h"
#include "http/parser.h"

namespace {

using namespace sluice;
using http::HeaderId;

void check_fields(const http::Headers& headers, std::string_view bytes) {
  for (const auto& field : headers) {
    SLUICE_CHECK(http::valid_name(field.name) && http::valid_value(field.value));
    SLUICE_CHECK(field.name.data() >= bytes.data());
    SLUICE_CHECK(field.value.data() + field.value.size() <= bytes.data() + bytes.size());
  }
  // Written again it is the same list.
  net::Buffer out;
  http::HeadWriter(out).fields(headers, 0).end();
  Arena arena;
  http::Headers again(arena);
  const auto parsed = http::parse_trailers(out.view(), {.fields_max = 1000}, again);
  SLUICE_CHECK(parsed.outcome == http::Parsed::whole && again.size() == headers.size());
}

void check_request(std::string_view bytes) {
  Arena arena;
  http::Request request(arena);
  const auto parsed = http::parse_request(bytes, {}, request);
  if (parsed.outcome == http::Parsed::refused) SLUICE_CHECK(parsed.status >= 400 && parsed.status < 600);
  if (parsed.outcome != http::Parsed::whole) return;
  SLUICE_CHECK(parsed.size <= bytes.size());
  check_fields(request.headers, bytes.substr(0, parsed.size));
  const bool chunked = request.headers.has(HeaderId::transfer_encoding);
  SLUICE_CHECK(!chunked || !request.headers.has(HeaderId::content_length));
  SLUICE_CHECK(chunked == (request.content_length == http::unknown_length));
  SLUICE_CHECK(request.path.find('\0') == request.path.npos);
  SLUICE_CHECK(request.path.empty() || request.path.front() == '/' || request.path == "*");
  SLUICE_CHECK((std::string(request.path) + "/").find("/../") == std::string::npos);
  for (std::size_t size = 0; size < parsed.size; size += 1 + parsed.size / 64) {
    Arena part_arena;
    http::Request part(part_arena);
    SLUICE_CHECK(http::parse_request(bytes.substr(0, size), {}, part).outcome == http::Parsed::incomplete);
  }
}

void check_response(std::string_view bytes) {
  Arena arena;
  http::Response response(arena);
  const auto parsed = http::parse_response(bytes, {}, response);
  if (parsed.outcome != http::Parsed::whole) return;
  SLUICE_CHECK(response.status >= 100 && response.status <= 999);
  check_fields(response.headers, bytes.substr(0, parsed.size));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_request(bytes);
  check_response(bytes);
  Arena arena;
  http::Headers trailers(arena);
  if (http::parse_trailers(bytes, {}, trailers).outcome == http::Parsed::whole) check_fields(trailers, bytes);
  return 0;
}
