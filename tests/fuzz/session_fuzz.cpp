// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a browser, a provider or a disk may hold: a session's cookie, a set of keys with a token,
// the claims of a login, Cache-Control, a file of the cache. Nothing that was not sealed here is a session,
// and what is read from a file is what was written.
#include <string>

#include "base/result.h"
#include "json/text.h"
#include "plugin/cache_control.h"
#include "plugin/cached_response.h"
#include "plugin/jwk_set.h"
#include "plugin/openid_claims.h"
#include "plugin/session_cookie.h"
#include "plugin/testing.h"

namespace {

using namespace sluice;
using namespace sluice::plugin;

void as_cookie(std::string_view text) {
  static testing::Bench bench;
  static const SessionCookies cookies({.secret = "a secret of 16 letters"}, "scope");
  static Redis redis(bench.worker);
  testing::Call call(bench);
  call.header("Cookie", "session=" + std::string(text));
  const auto read = bench.wait(cookies.read(call.x, redis));
  SLUICE_CHECK(read.has_value() && !read->has_value());
  cookies.hide(call.x);
}

void as_keys(std::string_view text) {
  const std::size_t line = text.find('\n');
  const auto document = json::parse(text.substr(0, line));
  const auto token = parse_jwt(line == text.npos ? "" : text.substr(line + 1));
  if (!document) return;
  const auto keys = JwkSet::parse(*document);
  if (keys && token) SLUICE_CHECK(!keys->verifies(*token) || token->header.text("alg") != "none");
}

void as_cached(std::string_view text) {
  const auto said = cache_directives(text);
  Arena arena;
  http::Headers headers(arena);
  for (const char* name : {"Cache-Control", "Vary", "Expires", "Age", "X-Accel-Expires"})
    headers.add(name, text);
  const auto lifetime = stated_lifetime(headers, said, 1'700'000'000'000'000'000);
  SLUICE_CHECK(!lifetime || *lifetime >= Duration::zero());
  SLUICE_CHECK(stated_age(headers) >= Duration::zero());
  static_cast<void>(varying_fields(headers));
  static_cast<void>(client_has_it(text, text, text, text));
  static_cast<void>(cache_file_size(text));
  const auto read = read_cache_file(text, "key", Instant{}, 0);
  if (read != nullptr) SLUICE_CHECK(cache_file_prefix(*read).size() + read->body->size() == text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  as_cookie(text);
  as_keys(text);
  as_cached(text);
  static_cast<void>(claims_of(text));
  return 0;
}
