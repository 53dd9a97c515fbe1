// SPDX-License-Identifier: Apache-2.0
#include "plugin/cache_control.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::plugin {
namespace {

constexpr std::int64_t seconds_max = std::int64_t{1} << 31;  // RFC 9111 §1.2.2: more means no more

std::int64_t seconds_of(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return 0;
  const auto number = parse_unsigned(text);
  return number ? static_cast<std::int64_t>(std::min<std::uint64_t>(*number, seconds_max)) : seconds_max;
}

void take(CacheDirectives& into, std::string_view name, std::string_view value, bool has_value) {
  const auto is = [name](std::string_view other) { return equals_ignoring_case(name, other); };
  if (is("no-store")) into.no_store = true;
  else if (is("no-cache")) into.no_cache = true;
  else if (is("private")) into.is_private = true;
  else if (is("public")) into.is_public = true;
  else if (is("must-revalidate") || is("proxy-revalidate")) into.must_revalidate = true;
  else if (is("only-if-cached")) into.only_if_cached = true;
  else if (is("max-age")) into.max_age = seconds_of(value);
  else if (is("s-maxage")) into.shared_max_age = seconds_of(value);
  else if (is("min-fresh")) into.min_fresh = seconds_of(value);
  else if (is("max-stale") && has_value) into.max_stale = seconds_of(value);
  else if (is("max-stale")) into.any_stale = true;
}

// Both in seconds since 1970.
Duration until(std::int64_t then, std::int64_t now) {
  return std::chrono::seconds(std::clamp<std::int64_t>(then - now, 0, seconds_max));
}

std::string_view without_weakness(std::string_view etag) {
  return etag.starts_with("W/") ? etag.substr(2) : etag;
}

}  // namespace

CacheDirectives cache_directives(std::string_view field) {
  CacheDirectives found;
  while (!field.empty()) {
    std::size_t end = 0;  // a comma between quotes separates nothing
    for (bool quoted = false; end < field.size() && (quoted || field[end] != ','); ++end)
      if (field[end] == '"') quoted = !quoted;
    const std::string_view item = trim(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    const std::size_t equals = item.find('=');
    const bool has_value = equals != std::string_view::npos;
    take(found, trim(item.substr(0, equals)), has_value ? trim(item.substr(equals + 1)) : std::string_view(),
         has_value);
  }
  return found;
}

CacheDirectives cache_directives(const http::Headers& headers) {
  if (!headers.has(http::HeaderId::cache_control)) return {};
  return cache_directives(headers.joined("cache-control").value_or(std::string_view()));
}

bool may_be_kept(const CacheDirectives& response) {
  return !response.no_store && !response.no_cache && !response.is_private;
}

std::optional<Duration> stated_lifetime(const http::Headers& headers, const CacheDirectives& directives,
                                        std::int64_t wall) {
  if (const auto* own = headers.find("x-accel-expires")) {
    if (own->value.starts_with('@')) return until(seconds_of(own->value.substr(1)), wall / 1'000'000'000);
    return std::chrono::seconds(seconds_of(own->value));
  }
  if (directives.shared_max_age) return std::chrono::seconds(*directives.shared_max_age);
  if (directives.max_age) return std::chrono::seconds(*directives.max_age);
  if (const auto* expires = headers.find("expires")) {
    const auto at = parse_http_date(expires->value);
    if (!at) return Duration::zero();  // "0" and the like: over already
    const auto made = parse_http_date(headers.get(http::HeaderId::date));
    return until(*at, made.value_or(wall / 1'000'000'000));
  }
  return std::nullopt;
}

Duration stated_age(const http::Headers& headers) {
  const auto* age = headers.find("age");
  return std::chrono::seconds(age == nullptr ? 0 : seconds_of(age->value));
}

std::optional<std::vector<std::string>> varying_fields(const http::Headers& headers) {
  std::vector<std::string> names;
  if (!headers.has(http::HeaderId::vary)) return names;
  for (const std::string_view item : Split(headers.joined("vary").value_or(std::string_view()), ',')) {
    const std::string_view name = trim(item);
    if (name == "*") return std::nullopt;
    if (!name.empty()) names.push_back(lowered(name));
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  if (names.size() > varying_fields_max) return std::nullopt;
  return names;
}

bool client_has_it(std::string_view etags, std::string_view since, std::string_view etag,
                   std::string_view last_modified) {
  if (!etags.empty()) {  // it comes before the date, whatever it says
    for (const std::string_view item : Split(etags, ',')) {
      const std::string_view one = trim(item);
      if (one == "*" || (!etag.empty() && without_weakness(one) == without_weakness(etag))) return true;
    }
    return false;
  }
  if (since.empty() || last_modified.empty()) return false;
  const auto asked = parse_http_date(since), made = parse_http_date(last_modified);
  return asked && made && *made <= *asked;
}

}  // namespace sluice::plugin
