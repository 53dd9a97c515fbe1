// SPDX-License-Identifier: Apache-2.0
// Responses kept in files below one directory, which outlive the process. A thread of its own reads and
// writes, so that no worker ever waits for a disk: loads are awaited, writes are handed over. A file appears
// whole or not at all (it is written beside its place and moved there); one that is damaged is taken away.
// Bounded in bytes and in number; what was not loaded for longest goes first. When the directory is full or
// away nothing is kept, and the log says so once. Any thread.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "plugin/cached_response.h"
#include "plugin/wake.h"

namespace sluice::plugin {

struct CacheDiskOptions {
  std::string path;
  std::vector<std::size_t> levels{1, 2};  // of directories: how many characters of a file's name each has
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
  std::size_t files_max = 400'000;
};

class CacheDisk {
 public:
  // Begins to look through the directory; until it has, every key may be there.
  explicit CacheDisk(CacheDiskOptions options);
  CacheDisk(const CacheDisk&) = delete;
  ~CacheDisk();  // what was handed over is written

  bool may_have(std::string_view key);
  // Null when there is none, or `deadline` comes first.
  async::Task<CacheEntry> load(async::Loop& loop, std::string key, Instant deadline);
  // Written soon. While too much waits to be written it is not kept.
  void write(CacheEntry entry);
  // Gone soon, and for every load from now on.
  void erase(std::string_view key);

  std::uint64_t bytes();
  std::size_t files();
  // Waits until everything handed over is done; for tests.
  void settle();

 private:
  struct File {
    std::string name;
    std::uint64_t size;
  };
  using Files = std::list<File>;  // loaded or written last first
  struct Job {
    enum class Kind : std::uint8_t { load, write, erase } kind;
    std::string key;
    CacheEntry entry;
    std::function<void(CacheEntry)> done;
    Instant now{};
    std::int64_t wall = 0;
  };

  void work();
  void run(Job& job);
  void hand_over(Job job);
  void scan();
  void look_at(const std::string& name, std::vector<std::pair<std::int64_t, File>>& found);
  std::string place_of(const std::string& name) const;
  CacheEntry load_file(const Job& job);
  void write_file(const CachedResponse& entry);
  Result<> try_write(const CachedResponse& entry, const std::string& name, std::uint64_t& size);
  void note(const std::string& name, std::uint64_t size);
  void forget(const std::string& name);
  void make_room();
  void complain(const std::string& what);

  const CacheDiskOptions options_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_, idle_;
  std::deque<Job> jobs_;
  std::uint64_t waiting_bytes_ = 0;  // of bodies to be written
  Files files_;
  std::unordered_map<std::string_view, Files::iterator, StringHash> by_name_;
  std::uint64_t bytes_ = 0;
  bool scanned_ = false, ending_ = false, busy_ = true;
  bool complained_ = false;  // the thread's own
  std::thread thread_;  // last
};

}  // namespace sluice::plugin
