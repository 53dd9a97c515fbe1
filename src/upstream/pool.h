// SPDX-License-Identifier: Apache-2.0
// Idle connections to upstream servers, one pool a worker. Last in, first out, so that the warm ones are used
// and the others age out. A connection that the server closes, or says anything on, while idle is dropped at
// once.
#pragma once
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "async/loop.h"
#include "http/client_connection.h"

namespace sluice::upstream {

struct KeepAlive {
  std::uint32_t size = 320;                        // idle connections kept to one upstream by one worker
  Duration idle_timeout = std::chrono::seconds(60);  // zero: none is kept
  std::uint32_t requests = 1000;                   // on one connection
};

// Which connections may stand in for each other: the same server, spoken to in the same way.
using PoolKey = std::uint64_t;

class Pool {
 public:
  explicit Pool(async::Loop& loop) : loop_(loop) {}
  Pool(const Pool&) = delete;
  ~Pool();

  // An idle connection, or null.
  std::unique_ptr<http::ClientConnection> take(PoolKey key);
  // Keeps a connection that is `reusable()`, within `limits`; drops it otherwise.
  void give(PoolKey key, const KeepAlive& limits, std::unique_ptr<http::ClientConnection> connection);
  // Drops the idle connections of a server that is gone.
  void forget(PoolKey key);
  std::size_t idle() const { return idle_; }

 private:
  struct Idle {
    Idle(Pool& owner, PoolKey its_key, std::unique_ptr<http::ClientConnection> its_connection);
    static void timed_out(void* self);
    static void happened(void* self);
    Pool& pool;
    PoolKey key;
    std::unique_ptr<http::ClientConnection> connection;
    std::size_t place = 0;
    async::Timer timer;
  };
  using List = std::vector<std::unique_ptr<Idle>>;
  std::unique_ptr<Idle> remove(List& list, std::size_t place);
  void drop(Idle& idle);

  async::Loop& loop_;
  std::unordered_map<PoolKey, List> lists_;
  List spare_;  // entries without a connection, for reuse
  std::size_t idle_ = 0;
};

}  // namespace sluice::upstream
