// SPDX-License-Identifier: Apache-2.0
// What fuzz targets of a whole gateway in memory share: a client's side and a server's side of an input, cut
// into pieces that arrive one after the other, with time passing between them. Nobody may stay behind.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/memory_gateway.h"

namespace sluice::fuzz {

// Takes off what stands before `mark`, or all.
inline std::string_view cut(std::string_view& rest, char mark) {
  const auto end = std::min(rest.find(mark), rest.size());
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

// A server that gives a piece at each read and closes behind the last; `pieces`, with \xff between them,
// outlives it.
inline auto giving(std::string_view& pieces) {
  return [&pieces](std::string& read) -> std::optional<std::string> {
    read.clear();
    if (pieces.empty()) return std::nullopt;
    return std::string(cut(pieces, '\xff'));
  };
}

// A client that sends `pieces`, with \xff between them, and leaves.
inline void converse(gateway::MemoryGateway& gateway, std::string_view pieces) {
  {
    auto client = gateway.connect();
    while (!pieces.empty()) {
      client.send(cut(pieces, '\xff'));
      client.received();
      gateway.pass(100ms);
    }
    client.half_close();
    client.received();
    gateway.pass(1s);
    client.received();
  }
  for (int i = 0; i < 10; ++i) gateway.pass(1min);
  SLUICE_CHECK(gateway.worker->counters.active == 0);
}

}  // namespace sluice::fuzz
