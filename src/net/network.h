// SPDX-License-Identifier: Apache-2.0
// Where connections come from: the system's TCP, or, in tests, `Loopback`: the same interface in memory, so
// that a whole gateway runs in one thread without a socket.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "async/task.h"
#include "base/address.h"
#include "base/result.h"
#include "net/stream.h"

namespace sluice::net {

struct Accepted {
  std::unique_ptr<Stream> stream;
  Endpoint peer;
  Endpoint local;
};

// Listens until it is destroyed.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual Endpoint endpoint() const = 0;
};

struct ListenOptions {
  int backlog = 511;
  bool reuse_port = true;    // several listeners, one a worker, share the port
  bool ipv6_only = true;
  int descriptor = -1;       // a listening socket that exists already, 0 and up
};

// A listening socket of the system's, for `ListenOptions::descriptor` of whoever serves it; close-on-exec.
Result<int> listening_socket(const Endpoint& at, const ListenOptions& options);
// Where a listening socket is bound: the port, when it was asked for with 0.
Endpoint bound_to(int descriptor, const Endpoint& asked);

class Network {
 public:
  virtual ~Network() = default;
  using OnAccept = std::function<void(Accepted)>;
  virtual Result<std::unique_ptr<Listener>> listen(async::Loop& loop, Endpoint at, ListenOptions options,
                                                   OnAccept on_accept) = 0;
  // Errors: refused, timeout, system. Nothing has been sent when it fails.
  virtual async::Task<Result<std::unique_ptr<Stream>>> connect(async::Loop& loop, Endpoint to,
                                                               Instant deadline) = 0;

  static Network& system();
};

}  // namespace sluice::net
