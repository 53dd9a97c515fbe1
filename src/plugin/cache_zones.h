// SPDX-License-Identifier: Apache-2.0
// The places that responses are kept in, as apisix.proxy_cache of config.yaml names them: a zone in memory,
// or one on disk with what is hot in memory before it. Made once at start; zones live as long as the process
// and open their directory when they are first used. Any thread.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/cache_disk.h"
#include "plugin/cache_memory.h"
#include "plugin/cache_turns.h"

namespace sluice::plugin {

struct CacheZoneOptions {
  std::string name;
  std::uint64_t memory_size = 50 << 20;
  std::uint64_t disk_size = std::uint64_t{1} << 30;
  std::string disk_path;  // "": memory only
  std::vector<std::size_t> levels{1, 2};
};

struct CacheOptions {
  std::vector<CacheZoneOptions> zones;
  Duration disk_lifetime = std::chrono::seconds(10);  // of responses on disk that do not say how long
  static CacheOptions standard();  // APISIX's: disk_cache_one and memory_cache
};

class CacheZone {
 public:
  explicit CacheZone(CacheZoneOptions options)
      : options_(std::move(options)), memory_(options_.memory_size) {}

  const std::string& name() const { return options_.name; }
  bool on_disk() const { return !options_.disk_path.empty(); }
  CacheMemory& memory() { return memory_; }
  CacheTurns& turns() { return turns_; }
  CacheDisk& disk();  // of a zone on disk

  // In memory, or on disk.
  async::Task<CacheEntry> find(async::Loop& loop, std::string key, Instant deadline);
  void put(const CacheEntry& entry);
  bool erase(std::string_view key);

  // The largest response that is kept.
  std::uint64_t entry_max() const;
  // Responses that are on their way take part of the zone's bytes; false when too many are.
  bool take_room(std::size_t bytes);
  void give_room(std::size_t bytes) { under_way_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const CacheZoneOptions options_;
  CacheMemory memory_;
  CacheTurns turns_;
  std::atomic<std::size_t> under_way_{0};
  std::atomic<std::uint64_t> erased_{0};  // so that what is being loaded meanwhile does not come back
  std::once_flag opened_;
  std::unique_ptr<CacheDisk> disk_;
};

class CacheZones {
 public:
  static CacheZones& shared();
  // Before the first use; without it zones have the standard names and nothing is said about others.
  void configure(const CacheOptions& options);
  bool configured() const { return configured_; }
  CacheZone* find(std::string_view name);
  Duration disk_lifetime() const { return disk_lifetime_; }

 private:
  CacheZones();
  void make(const CacheOptions& options);
  bool configured_ = false;
  Duration disk_lifetime_{};
  std::vector<std::unique_ptr<CacheZone>> zones_;
};

}  // namespace sluice::plugin
