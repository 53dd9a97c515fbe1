// SPDX-License-Identifier: Apache-2.0
// What an exchange tells when it is no request but a connection below HTTP: which transport it uses, what the
// client has said first, and how much went through. It lives in the frame that serves the connection, beside
// the exchange.
#pragma once
#include <cstdint>
#include <string_view>

#include "async/task.h"
#include "base/result.h"
#include "net/buffer.h"
#include "net/stream.h"

namespace sluice::plugin {

enum class Transport : std::uint8_t { tcp, udp };

class StreamSide {
 public:
  // Of what a client says before its route has decided about it.
  static constexpr std::size_t first_bytes_max = net::Buffer::standard_size;

  // `client` is null for datagrams: there the first of them is all that can be looked at.
  StreamSide(Transport the_transport, net::Stream* client) : transport(the_transport), client_(client) {}
  StreamSide(const StreamSide&) = delete;

  const Transport transport;
  std::string_view mqtt_client_id;      // found by plugin mqtt-proxy; in the exchange's arena
  std::string_view listen_address;      // "0.0.0.0:9100": the port as it is written
  Instant upstream_begun{};             // when the last peer was there; none before
  Instant upstream_spoke{};             // when it first said something; none before
  std::uint64_t received = 0, sent = 0;                    // bytes, of the client and to it
  std::uint64_t upstream_received = 0, upstream_sent = 0;  // of the last peer and to it

  // What the client has said so far; all of it is passed on.
  std::string_view first_bytes() const { return first_.view(); }
  // Waits for more of it. Errors: limit, when it is more than `first_bytes_max` already; closed; timeout.
  async::Task<Result<>> read_more(Instant deadline);
  void put_first(net::Buffer bytes) { first_ = std::move(bytes); }
  net::Buffer take_first() { return std::move(first_); }

 private:
  net::Stream* client_;
  net::Buffer first_;
};

}  // namespace sluice::plugin
