// SPDX-License-Identifier: Apache-2.0
// One fetch under a stampede: the first who misses a key has the turn and asks the upstream; the others, on
// whichever worker, wait until it has stored the response, or says that it will not. A turn is given back
// when its ticket goes, so a client that hangs up leaves nobody waiting. Any thread.
#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "plugin/wake.h"

namespace sluice::plugin {

class CacheTurns {
 public:
  // stored: look again. unshared: it cannot be kept, ask for yourself. broken: somebody else's turn.
  enum class Outcome : std::uint8_t { stored, unshared, broken };

 private:
  struct Fetch {
    Outcome outcome = Outcome::broken;
    std::vector<std::shared_ptr<Wake>> waiting;
  };

 public:
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)), key_(std::move(other.key_)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      settle(Outcome::broken);
      turns_ = std::exchange(other.turns_, nullptr);
      key_ = std::move(other.key_);
      return *this;
    }
    ~Ticket() { settle(Outcome::broken); }
    explicit operator bool() const { return turns_ != nullptr; }
    // Ends the turn, once; says whether anybody waited.
    bool settle(Outcome outcome) {
      return turns_ != nullptr && std::exchange(turns_, nullptr)->end(key_, outcome);
    }

   private:
    friend class CacheTurns;
    CacheTurns* turns_ = nullptr;
    std::string key_;
  };

  // False when somebody has the turn already.
  bool take(std::string_view key, Ticket& ticket) {
    Shard& shard = shard_of(key);
    {
      const std::lock_guard lock(shard.mutex);
      if (!shard.fetches.try_emplace(std::string(key), std::make_shared<Fetch>()).second) return false;
    }
    Ticket taken;
    taken.turns_ = this;
    taken.key_ = key;
    ticket = std::move(taken);
    return true;
  }

  // What came of the turn; nothing when `deadline` came first. Broken when nobody has the turn.
  async::Task<std::optional<Outcome>> wait(async::Loop& loop, std::string key, Instant deadline) {
    Waiting waiting(loop);
    const auto fetch = join(key, waiting.wake());
    if (fetch == nullptr) co_return Outcome::broken;
    auto until = waiting.until(deadline);
    const bool told = co_await until;
    if (!told) co_return std::nullopt;
    co_return fetch->outcome;
  }

 private:
  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<Fetch>, StringHash, std::equal_to<>> fetches;
  };
  Shard& shard_of(std::string_view key) { return shards_[hash64(key) >> 60]; }

  std::shared_ptr<Fetch> join(std::string_view key, const std::shared_ptr<Wake>& wake) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.fetches.find(key);
    if (found == shard.fetches.end()) return nullptr;
    found->second->waiting.push_back(wake);
    return found->second;
  }

  bool end(std::string_view key, Outcome outcome) {
    Shard& shard = shard_of(key);
    std::shared_ptr<Fetch> fetch;
    {
      const std::lock_guard lock(shard.mutex);
      const auto found = shard.fetches.find(key);
      fetch = std::move(found->second);
      shard.fetches.erase(found);
    }
    fetch->outcome = outcome;  // nobody joins it any more, and who is told sees it
    for (const auto& wake : fetch->waiting) Wake::tell(wake);
    return !fetch->waiting.empty();
  }

  std::array<Shard, 16> shards_;
};

}  // namespace sluice::plugin
