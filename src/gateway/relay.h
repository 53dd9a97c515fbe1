// SPDX-License-Identifier: Apache-2.0
// Bytes both ways between a client and a peer, until both have ended, one breaks, or neither says anything
// for too long. A side that only stops sending is told to the other, which may still answer. What one side
// does not take is not read from the other: a connection holds one buffer, or one pipe of the kernel's, a
// direction, and nothing while it is silent. Lives in the frame that serves the connection.
#pragma once
#include <cstdint>

#include "async/task.h"
#include "net/buffer.h"
#include "net/stream.h"

namespace sluice::gateway {

struct RelayOptions {
  Duration idle;  // neither side says anything for so long
  Duration send;  // a side takes nothing for so long
};

struct Relayed {
  enum class End : std::uint8_t { closed, client_broke, upstream_broke, idle };
  std::uint64_t up = 0, down = 0;  // bytes to the upstream and to the client
  End end = End::closed;
  Instant client_spoke{}, upstream_spoke{};  // when it was first read from; none before
};

// `from_client` and `from_upstream` were read before. `sofar` counts while it runs, for whoever ends it.
async::Task<> relay(net::Stream& client, net::Stream& upstream, RelayOptions options, net::Buffer from_client,
                    net::Buffer from_upstream, Relayed& sofar);

}  // namespace sluice::gateway
