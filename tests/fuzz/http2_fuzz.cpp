// SPDX-License-Identifier: Apache-2.0
// HTTP/2 bytes into a whole gateway in memory: what a client sends behind the preface, cut into pieces that
// arrive one after the other, while a peer answers what reaches it. Nothing may crash, hang or stay behind.
#include <algorithm>

#include "base/log.h"
#include "gateway/memory_gateway.h"
#include "http/server_side.h"
#include "plugins/list.h"

namespace {

using namespace sluice;
using gateway::MemoryGateway;

constexpr std::string_view route =
    R"({"uri": "/*", "enable_websocket": true, "upstream": {"type": "roundrobin", "retries": 0,
        "timeout": {"connect": 1, "send": 1, "read": 1}, "nodes": {"127.0.0.1:1000": 1}}})";

}  // namespace

// The first byte says how the rest is cut.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t cut = 1 + data[0] * 4u;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  log::set_level(log::Level::emerg);

  MemoryGateway gateway(plugins::all());
  const std::string reply =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n";
  MemoryGateway::Peer peer(gateway, {IpAddress::loopback(), 1000}, MemoryGateway::replying(reply));
  gateway.put("routes/1", route);
  {
    auto client = gateway.connect();
    client.send(http::http2_preface);
    while (!bytes.empty()) {
      client.send(bytes.substr(0, cut));
      bytes.remove_prefix(std::min(cut, bytes.size()));
      client.received();
      gateway.pass(100ms);
    }
    client.half_close();
    client.received();
    gateway.pass(1s);
  }
  gateway.pass(2min);
  return 0;
}
