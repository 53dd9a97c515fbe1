// SPDX-License-Identifier: Apache-2.0
#include "plugin/cache_fill.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "plugin/cache_control.h"

namespace sluice::plugin {
namespace {

using http::HeaderId;

constexpr http::HeaderMask never_kept = http::hop_by_hop | http::mask(HeaderId::content_length);
constexpr std::string_view names_never_kept[]{"age", "apisix-cache-status", "proxy-authenticate",
                                              "x-accel-expires"};

bool is_kept(const http::Header& field, bool with_cookies) {
  if (field.id == HeaderId::set_cookie) return with_cookies;
  if (field.id != HeaderId::other) return (http::mask(field.id) & never_kept) == 0;
  return std::ranges::none_of(
      names_never_kept, [&](std::string_view name) { return equals_ignoring_case(name, field.name); });
}

void append(std::string& head, const http::Header& field) {
  head.append(field.name).append(": ").append(field.value).append("\r\n");
}

void date(CachedResponse& entry, Exchange& x) {
  const Duration age = stated_age(x.response.headers);
  entry.made = x.worker.loop.now() - age;
  entry.made_wall = x.worker.loop.wall() - age.count();
}

bool tells_of_body(const http::Header& field) {
  return field.id == HeaderId::content_type || field.id == HeaderId::content_encoding ||
         field.id == HeaderId::content_range;
}

}  // namespace

std::string variant_key(std::string_view base, const std::vector<std::string>& names,
                        const http::Headers& request) {
  std::string key = "V" + std::to_string(base.size()) + ":";
  key += base;
  for (const auto& name : names) {
    const std::string_view value = request.joined(name).value_or(std::string_view());
    key.append(name).append("=").append(std::to_string(value.size())).append(":").append(value);
  }
  return key;
}

std::shared_ptr<CachedResponse> entry_of(Exchange& x, bool with_cookies) {
  auto entry = std::make_shared<CachedResponse>();
  entry->status = x.response.status;
  date(*entry, x);
  for (const auto& field : x.response.headers)
    if (is_kept(field, with_cookies)) append(entry->head, field);
  return entry;
}

std::shared_ptr<CachedResponse> refreshed(Exchange& x, const CachedResponse& old, bool with_cookies) {
  auto entry = std::make_shared<CachedResponse>();
  entry->status = old.status;
  entry->key = old.key;
  entry->body = old.body;
  entry->must_revalidate = old.must_revalidate;
  entry->lifetime = old.lifetime;
  date(*entry, x);
  const auto& newer = x.response.headers;
  for (const auto& field : old.fields) {
    const bool replaced = !tells_of_body(field) && is_kept(field, with_cookies) && newer.has(field.name);
    if (!replaced) append(entry->head, field);
  }
  for (const auto& field : newer)
    if (is_kept(field, with_cookies) && !tells_of_body(field)) append(entry->head, field);
  return entry->index() ? entry : nullptr;
}

void use_entry(Exchange& x, CacheEntry entry, const CacheHit& hit) {
  http::Response& response = x.response;
  response.status = hit.not_modified ? 304 : entry->status;
  response.reason = {};
  response.headers.clear();
  response.body = nullptr;
  response.content = hit.not_modified ? std::string_view() : std::string_view(*entry->body);
  response.content_length = http::unknown_length;
  for (const auto& field : entry->fields) {
    if (hit.without_cache_fields &&
        (field.id == HeaderId::cache_control || equals_ignoring_case(field.name, "expires")))
      continue;
    if (!hit.not_modified || !tells_of_body(field)) response.headers.append(field);
  }
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(entry->age(x.worker.loop.now())).count();
  char* digits = x.arena.text(20);
  char* end = std::to_chars(digits, digits + 20, age).ptr;
  response.headers.append({"Age", {digits, static_cast<std::size_t>(end - digits)}});
  response.headers.append({"Apisix-Cache-Status", hit.status});
  x.arena.make<CacheEntry>(std::move(entry));
}

void StoringBody::see(const Result<std::string_view>& piece) {
  if (!keeps_) return;
  if (!piece || kept_.size() + piece->size() > bytes_max_ || !zone_.take_room(piece->size())) return drop();
  taken_ += piece->size();
  kept_ += *piece;
  if (!inner_.ended() && !piece->empty()) return;
  if (inner_.trailers() != nullptr) return drop();
  keeps_ = false;
  done_(std::move(kept_));
}

void StoringBody::drop() {
  keeps_ = false;
  kept_ = std::string();
  zone_.give_room(std::exchange(taken_, 0));
  dropped_();
}

}  // namespace sluice::plugin
