// SPDX-License-Identifier: Apache-2.0
// HTTP/2 bytes of an upstream into a whole gateway in memory, while two requests wait for their answers: in
// pieces, a piece whenever the gateway said something, the rest behind. Nothing may crash, hang or stay
// behind.
#include <algorithm>

#include "base/log.h"
#include "gateway/memory_gateway.h"
#include "plugins/list.h"

namespace {

using namespace sluice;
using gateway::MemoryGateway;

constexpr std::string_view route =
    R"({"uri": "/*", "upstream": {"type": "roundrobin", "retries": 1, "http_version": "2",
        "timeout": {"connect": 1, "send": 1, "read": 1}, "nodes": {"127.0.0.1:1000": 1}}})";
constexpr std::string_view calls =
    R"({"uri": "/call", "upstream": {"type": "roundrobin", "retries": 1, "scheme": "grpc",
        "timeout": {"connect": 1, "send": 1, "read": 1}, "nodes": {"127.0.0.1:1000": 1}}})";

}  // namespace

// The first byte says how the rest is cut.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t cut = 9 + data[0] * 8u;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string_view bytes = all;
  log::set_level(log::Level::emerg);

  MemoryGateway gateway(plugins::all());
  MemoryGateway::Peer peer(gateway, {IpAddress::loopback(), 1000},
                           [&](std::string& read) -> std::optional<std::string> {
                             if (read.starts_with("PRI ")) bytes = all;  // a connection of its own
                             read.clear();
                             const std::string piece(bytes.substr(0, cut));
                             bytes.remove_prefix(piece.size());
                             return bytes.size() < cut ? piece + std::string(std::exchange(bytes, {}))
                                                       : piece;
                           });
  gateway.put("routes/1", route);
  gateway.put("routes/2", calls);
  {
    auto first = gateway.connect(), second = gateway.connect();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    second.send("POST /call HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    for (int i = 0; i < 5; ++i) {
      gateway.pass(100ms);
      first.received();
      second.received();
    }
    second.send("0\r\nT: v\r\n\r\n");
    first.received();
    gateway.pass(1500ms);
  }
  for (int i = 0; i < 10; ++i) gateway.pass(1min);
  SLUICE_CHECK(gateway.worker->counters.active == 0);
  SLUICE_CHECK(gateway.worker->http2_pool().connections() == 0);
  return 0;
}
