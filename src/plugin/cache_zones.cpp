// SPDX-License-Identifier: Apache-2.0
#include "plugin/cache_zones.h"

#include <algorithm>

namespace sluice::plugin {
namespace {

constexpr std::size_t bytes_a_file = 128;  // of memory, for what is known of it
constexpr std::uint64_t under_way_least = std::uint64_t{128} << 20;

}  // namespace

CacheOptions CacheOptions::standard() {
  CacheZoneOptions disk, memory;
  disk.name = "disk_cache_one";
  disk.disk_path = "/tmp/disk_cache_one";
  memory.name = "memory_cache";
  return {{disk, memory}};
}

CacheDisk& CacheZone::disk() {
  std::call_once(opened_, [this] {
    CacheDiskOptions disk;
    disk.path = options_.disk_path;
    disk.levels = options_.levels;
    disk.bytes_max = options_.disk_size;
    disk.files_max = std::max<std::size_t>(options_.memory_size / bytes_a_file, 64);
    disk_ = std::make_unique<CacheDisk>(std::move(disk));
  });
  return *disk_;
}

async::Task<CacheEntry> CacheZone::find(async::Loop& loop, std::string key, Instant deadline) {
  CacheEntry entry = memory_.find(key, loop.now());
  if (entry != nullptr || !on_disk() || !disk().may_have(key)) co_return entry;
  const std::uint64_t erased = erased_.load();
  auto loading = disk().load(loop, std::move(key), deadline);
  entry = co_await loading;
  if (entry != nullptr && erased == erased_.load()) memory_.put(entry);
  co_return entry;
}

void CacheZone::put(const CacheEntry& entry) {
  memory_.put(entry);
  if (on_disk() && entry->kind != CachedResponse::Kind::unshared) disk().write(entry);
}

bool CacheZone::erase(std::string_view key) {
  ++erased_;
  const bool there = memory_.erase(key);
  if (!on_disk()) return there;
  const bool on_file = disk().may_have(key);
  disk().erase(key);
  return there || on_file;
}

std::uint64_t CacheZone::entry_max() const {
  return on_disk() ? options_.disk_size : options_.memory_size;
}

bool CacheZone::take_room(std::size_t bytes) {
  const std::size_t most = std::max(options_.memory_size, on_disk() ? under_way_least : 0);
  if (under_way_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= most) return true;
  give_room(bytes);
  return false;
}

CacheZones& CacheZones::shared() {
  static CacheZones zones;
  return zones;
}

CacheZones::CacheZones() { make(CacheOptions::standard()); }

void CacheZones::configure(const CacheOptions& options) {
  make(options);
  configured_ = true;
}

void CacheZones::make(const CacheOptions& options) {
  zones_.clear();
  for (const auto& zone : options.zones) zones_.push_back(std::make_unique<CacheZone>(zone));
  disk_lifetime_ = options.disk_lifetime;
}

CacheZone* CacheZones::find(std::string_view name) {
  const auto found = std::ranges::find_if(zones_, [name](const auto& zone) { return zone->name() == name; });
  return found == zones_.end() ? nullptr : found->get();
}

}  // namespace sluice::plugin
