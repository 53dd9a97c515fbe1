// SPDX-License-Identifier: Apache-2.0
// Bytes into a whole gateway in memory: "client piece \xff client piece \xfe upstream piece \xff upstream
// piece". Nothing may crash, hang or stay behind.
#include "base/log.h"
#include "conversation.h"
#include "plugins/list.h"

namespace {

using namespace sluice;
using gateway::MemoryGateway;

constexpr std::string_view route =
    R"({"uri": "/*", "enable_websocket": true, "upstream": {"type": "roundrobin", "retries": 1,
        "timeout": {"connect": 1, "send": 1, "read": 1}, "nodes": {"127.0.0.1:1000": 1}}})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view from_upstream(reinterpret_cast<const char*>(data), size);
  const std::string_view from_client = fuzz::cut(from_upstream, '\xfe');
  log::set_level(log::Level::emerg);

  MemoryGateway gateway(plugins::all());
  MemoryGateway::Peer peer(gateway, {IpAddress::loopback(), 1000}, fuzz::giving(from_upstream));
  gateway.put("routes/1", route);
  fuzz::converse(gateway, from_client);
  SLUICE_CHECK(gateway.worker->pool().idle() == 0);
  return 0;
}
