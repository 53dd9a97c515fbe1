// SPDX-License-Identifier: Apache-2.0
// Bytes into a whole gateway in memory: the input is a client's side and an upstream's side, cut into pieces
// that arrive one after the other, with time passing between them. Nothing may crash, hang or stay behind.
#include <algorithm>

#include "base/log.h"
#include "gateway/memory_gateway.h"
#include "plugins/list.h"

namespace {

using namespace sluice;
using gateway::MemoryGateway;

constexpr std::string_view route =
    R"({"uri": "/*", "enable_websocket": true, "upstream": {"type": "roundrobin", "retries": 1,
        "timeout": {"connect": 1, "send": 1, "read": 1}, "nodes": {"127.0.0.1:1000": 1}}})";

// The input: "client piece \xff client piece \xfe upstream piece \xff upstream piece". An upstream's piece is
// given at each read; behind the last one the connection closes.
struct Pieces {
  std::vector<std::string_view> list;
  std::size_t next = 0;

  explicit Pieces(std::string_view bytes) {
    for (;;) {
      const auto end = std::min(bytes.find('\xff'), bytes.size());
      list.push_back(bytes.substr(0, end));
      if (end == bytes.size()) return;
      bytes.remove_prefix(end + 1);
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto middle = std::min(bytes.find('\xfe'), bytes.size());
  Pieces from_client(bytes.substr(0, middle)), from_upstream(bytes.substr(std::min(middle + 1, size)));
  log::set_level(log::Level::emerg);

  MemoryGateway gateway(plugins::all());
  MemoryGateway::Peer peer(gateway, {IpAddress::loopback(), 1000},
                           [&from_upstream](std::string& read) -> std::optional<std::string> {
                             read.clear();
                             if (from_upstream.next == from_upstream.list.size()) return std::nullopt;
                             return std::string(from_upstream.list[from_upstream.next++]);
                           });
  gateway.put("routes/1", route);
  {
    auto client = gateway.connect();
    for (const std::string_view piece : from_client.list) {
      client.send(piece);
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
  SLUICE_CHECK(gateway.worker->pool().idle() == 0);
  return 0;
}
