// SPDX-License-Identifier: Apache-2.0
// A network in memory, for tests: the same interface as TCP, one loop, no sockets. What one end writes is
// readable at the other in the loop's next batch; a pipe that is full refuses, as a socket does, so
// back-pressure is real.
#pragma once
#include <map>

#include "net/network.h"

namespace sluice::net {

class Loopback final : public Network {
 public:
  // How many bytes a direction holds before writes have to wait.
  explicit Loopback(std::size_t capacity = 64 * 1024) : capacity_(capacity) {}
  ~Loopback() override;

  Result<std::unique_ptr<Listener>> listen(async::Loop& loop, Endpoint at, ListenOptions options,
                                           OnAccept on_accept) override;
  async::Task<Result<std::unique_ptr<Stream>>> connect(async::Loop& loop, Endpoint to,
                                                       Instant deadline) override;

  // Nobody answers at this address: a connect waits for its deadline.
  void black_hole(Endpoint at) { black_holes_.insert_or_assign(at, true); }

  // Both ends of one connection.
  std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> pair(async::Loop& loop);

 private:
  class Waiting;
  struct Place {
    Endpoint at;
    OnAccept on_accept;
  };
  std::size_t capacity_;
  std::uint16_t next_port_ = 40000;
  std::map<Endpoint, std::shared_ptr<Place>> places_;
  std::map<Endpoint, bool> black_holes_;
};

}  // namespace sluice::net
