// SPDX-License-Identifier: Apache-2.0
// One connection, or one client's datagrams, below HTTP while it is served: its exchange, the snapshot that
// it began with, and the way to its destination. It ends with the log phase, however it ends. Lives in the
// frame that serves it.
#pragma once
#include <expected>
#include <string_view>

#include "gateway/snapshot.h"
#include "plugin/exchange.h"
#include "plugin/stream_side.h"

namespace sluice::gateway {

class Worker;
struct Pinned;

struct StreamServing {
  struct From {
    plugin::Transport transport;
    net::Stream* stream;  // null for datagrams
    Endpoint client, server;
    std::string_view port;  // as it is written; outlives this
    std::uint64_t number;   // of the connection
    Instant started;
    const net::ProxyHeader* proxy_header;  // null without one
  };
  StreamServing(Worker& the_worker, const From& from);
  StreamServing(const StreamServing&) = delete;
  // Also when the frame is destroyed on the way: what was begun is logged.
  ~StreamServing();

  Worker& worker;
  Pinned* pinned;
  plugin::StreamSide side;
  plugin::Exchange x;
  const Chain* chain = nullptr;  // of the route; null before there is one
};

// Where it goes: by its route, whose plugins may refuse it or choose another upstream. Else the status that
// it ends with.
async::Task<std::expected<const Destination*, int>> destination_of(StreamServing& s);

}  // namespace sluice::gateway
