// SPDX-License-Identifier: Apache-2.0
#include "plugin/cached_response.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "base/text.h"

namespace sluice::plugin {
namespace {

constexpr char magic[8] = {'S', 'L', 'C', 'A', 'C', 'H', 'E', '1'};
constexpr std::uint64_t size_max = std::uint64_t{1} << 40;

// As it stands in a file, in this machine's byte order: a cache does not travel.
struct FileHead {
  char magic[8];
  std::uint64_t body_size;
  std::int64_t made_wall, lifetime;
  std::uint32_t checksum;  // CRC-32 of everything behind it, key, head and body too
  std::uint32_t key_size, head_size;
  std::uint16_t status;
  std::uint8_t kind, must_revalidate;
  std::uint8_t reserved[16];
};
static_assert(sizeof(FileHead) == cache_file_head);
constexpr std::size_t summed_from = offsetof(FileHead, key_size);

bool read_head(std::string_view bytes, FileHead& head) {
  if (bytes.size() < sizeof head) return false;
  std::memcpy(&head, bytes.data(), sizeof head);
  return std::memcmp(head.magic, magic, sizeof magic) == 0 && head.body_size < size_max;
}

std::uint64_t size_of(const FileHead& head) {
  return sizeof head + head.key_size + std::uint64_t{head.head_size} + head.body_size;
}

}  // namespace

bool CachedResponse::index() {
  if (kind == Kind::variants) {
    for (const std::string_view name : Split(head, ',')) vary.emplace_back(name);
    std::string_view rest = *body;
    while (!rest.empty()) {
      std::uint32_t size = 0;
      if (rest.size() < sizeof size) return false;
      std::memcpy(&size, rest.data(), sizeof size);
      rest.remove_prefix(sizeof size);
      if (rest.size() < size) return false;
      variants.emplace_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    return true;
  }
  std::string_view rest = head;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n"), colon = rest.find(": ");
    if (end == std::string_view::npos || colon == std::string_view::npos || colon > end) return false;
    const std::string_view name = rest.substr(0, colon), value = rest.substr(colon + 2, end - colon - 2);
    fields.push_back({name, value, http::header_id(name), true});
    if (fields.back().id == http::HeaderId::etag) etag = value;
    if (fields.back().id == http::HeaderId::last_modified) last_modified = value;
    rest.remove_prefix(end + 2);
  }
  return true;
}

void CachedResponse::write_variants() {
  for (const auto& name : vary) head += (head.empty() ? "" : ",") + name;
  std::string keys;
  for (const auto& variant : variants) {
    const auto size = static_cast<std::uint32_t>(variant.size());
    keys.append(reinterpret_cast<const char*>(&size), sizeof size).append(variant);
  }
  body = std::make_shared<const std::string>(std::move(keys));
}

std::size_t CachedResponse::cost() const {
  constexpr std::size_t around = sizeof(CachedResponse) + 256;  // and its place in a table
  std::size_t bytes = around + key.size() + head.size() + body->size() + fields.size() * sizeof(http::Header);
  for (const auto& variant : variants) bytes += variant.size() + sizeof variant;
  return bytes;
}

std::string cache_file_prefix(const CachedResponse& entry) {
  FileHead head{};
  std::memcpy(head.magic, magic, sizeof magic);
  head.body_size = entry.body->size();
  head.made_wall = entry.made_wall;
  head.lifetime = entry.lifetime.count();
  head.key_size = static_cast<std::uint32_t>(entry.key.size());
  head.head_size = static_cast<std::uint32_t>(entry.head.size());
  head.status = static_cast<std::uint16_t>(entry.status);
  head.kind = static_cast<std::uint8_t>(entry.kind);
  head.must_revalidate = entry.must_revalidate;
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes.append(entry.key).append(entry.head);
  const std::uint32_t sum = crc32(*entry.body, crc32(std::string_view(bytes).substr(summed_from)));
  std::memcpy(bytes.data() + offsetof(FileHead, checksum), &sum, sizeof sum);
  return bytes;
}

std::uint64_t cache_file_size(std::string_view beginning) {
  FileHead head;
  return read_head(beginning, head) ? size_of(head) : 0;
}

std::shared_ptr<CachedResponse> read_cache_file(std::string_view bytes, std::string_view key, Instant now,
                                                std::int64_t wall) {
  FileHead head;
  if (!read_head(bytes, head) || size_of(head) != bytes.size()) return nullptr;
  if (crc32(bytes.substr(summed_from)) != head.checksum) return nullptr;
  const std::string_view rest = bytes.substr(sizeof head);
  if (head.made_wall < 0 || rest.substr(0, head.key_size) != key || head.kind > 1 || head.status < 100 ||
      head.status > 999)
    return nullptr;
  auto entry = std::make_shared<CachedResponse>();
  entry->kind = static_cast<CachedResponse::Kind>(head.kind);
  entry->must_revalidate = head.must_revalidate != 0;
  entry->status = head.status;
  entry->key = key;
  entry->head = rest.substr(head.key_size, head.head_size);
  entry->body = std::make_shared<const std::string>(rest.substr(head.key_size + head.head_size));
  entry->made_wall = std::min(head.made_wall, wall);
  entry->made = now - Duration(wall - entry->made_wall);
  entry->lifetime = Duration(std::max<std::int64_t>(head.lifetime, 0));
  return entry->index() ? entry : nullptr;
}

}  // namespace sluice::plugin
