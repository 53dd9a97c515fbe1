// SPDX-License-Identifier: Apache-2.0
// Texts to a server that only listens, as loggers send them: over TCP or TLS one behind the other, on a
// connection that is kept for the next ones, or over UDP a datagram each. Belongs to one logger on one
// worker.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "json/fields.h"
#include "plugin/worker.h"

namespace sluice::plugin {

enum class SocketType : std::uint8_t { tcp, udp };
inline json::Names enum_names(SocketType) {
  static constexpr std::string_view names[]{"tcp", "udp"};
  return names;
}

class SocketSender {
 public:
  static constexpr std::size_t datagram_bytes_max = 65'507;  // what UDP over IPv4 carries

  struct To {
    std::string host;
    std::uint16_t port = 0;
    SocketType type = SocketType::tcp;
    bool tls = false, verify = true;  // of TCP
    Duration timeout = std::chrono::seconds(3);  // to connect, and for a server that takes nothing
  };

  SocketSender(Worker& worker, To to) : worker_(worker), to_(std::move(to)) {}
  SocketSender(const SocketSender&) = delete;

  // Sends them all, or says why not: then some may have been sent. Over UDP those that are larger than a
  // datagram are left out, which the log says. `texts` outlives the task; one task at a time.
  async::Task<Result<>> send(const std::vector<std::string>& texts);

 private:
  async::Task<Result<>> connect();
  async::Task<Result<>> send_stream(const std::vector<std::string>& texts);
  async::Task<Result<>> send_datagrams(const std::vector<std::string>& texts);
  ConnectTo address() const;
  Error failed(ssize_t error) const;

  Worker& worker_;
  To to_;
  std::unique_ptr<net::Stream> stream_;
};

}  // namespace sluice::plugin
