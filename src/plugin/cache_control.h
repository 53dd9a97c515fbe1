// SPDX-License-Identifier: Apache-2.0
// What a message says about being kept: Cache-Control of requests and responses (RFC 9111 §5.2), how long a
// response is fresh (§4.2), what it varies by (§4.1). Pure functions, any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "http/headers.h"

namespace sluice::plugin {

struct CacheDirectives {
  bool no_store = false, no_cache = false, is_private = false, is_public = false;
  bool must_revalidate = false;  // or proxy-revalidate
  bool only_if_cached = false;
  bool any_stale = false;        // max-stale without a number
  std::optional<std::int64_t> max_age, shared_max_age, max_stale, min_fresh;  // seconds
};

// A directive that is no number where one belongs counts as 0: stale, not fresh.
CacheDirectives cache_directives(std::string_view field);
CacheDirectives cache_directives(const http::Headers& headers);

// Whether a cache that users share may keep a response at all, as far as its head says.
bool may_be_kept(const CacheDirectives& response);

// How long a response is fresh from the time it was made on, as it says itself; nothing when it does not say.
// nginx's X-Accel-Expires comes before all else. `wall` is nanoseconds since 1970.
std::optional<Duration> stated_lifetime(const http::Headers& headers, const CacheDirectives& directives,
                                        std::int64_t wall);
// The Age a response came with.
Duration stated_age(const http::Headers& headers);

// The fields a response varies by, in lower case, sorted; nothing when it varies by what no request tells
// ("*"), or by more fields than `varying_fields_max`.
inline constexpr std::size_t varying_fields_max = 16;
std::optional<std::vector<std::string>> varying_fields(const http::Headers& headers);

// If-None-Match and If-Modified-Since (RFC 9110 §13.1): whether the client has the representation with these
// validators already. `etags` and `since` are its fields, empty when they are not there.
bool client_has_it(std::string_view etags, std::string_view since, std::string_view etag,
                   std::string_view last_modified);

}  // namespace sluice::plugin
