// SPDX-License-Identifier: Apache-2.0
// A UDP socket on a loop: bound, for datagrams of anybody, each with the address that it came to, so that an
// answer leaves from there; or connected, for those of one peer, where the system also tells that nobody
// listens. Nothing waits: what cannot be received or sent now is said so. One loop.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "async/loop.h"
#include "base/address.h"
#include "base/result.h"

namespace sluice::net {

// A bound socket of the system's, close-on-exec; `reuse_port`: several, one a worker, share the port.
Result<int> datagram_socket(const Endpoint& at, bool reuse_port);

class DatagramSocket final : public async::Pollable {
 public:
  static constexpr std::size_t bytes_max = 65'535;  // of one datagram

  // Who sent a datagram, and to which of our addresses.
  struct Ends {
    Endpoint peer;
    IpAddress local;
  };

  // Takes the descriptor over.
  static Result<std::unique_ptr<DatagramSocket>> bound(async::Loop& loop, int descriptor, const Endpoint& at);
  static Result<std::unique_ptr<DatagramSocket>> connected(async::Loop& loop, const Endpoint& to);
  DatagramSocket(const DatagramSocket&) = delete;
  ~DatagramSocket();

  // Called, from the loop's top level, when there may be something to receive: until -EAGAIN, or it is not
  // called again. It may destroy the socket.
  void on_readable(void (*callback)(void*), void* context) {
    callback_ = callback;
    context_ = context;
  }
  // Bytes of the next datagram, cut to what fits; -EAGAIN, -ECONNREFUSED, another negative errno.
  ssize_t receive(std::span<char> into, Ends& ends);
  ssize_t receive(std::span<char> into);
  // The same for what was sent; the system may drop a datagram without a word.
  ssize_t send(std::string_view bytes, const Ends& ends);
  ssize_t send(std::string_view bytes);
  // Datagrams are left to whoever else has the socket; sending goes on.
  void stop_receiving();
  const Endpoint& endpoint() const { return at_; }

 private:
  DatagramSocket(async::Loop& loop, int descriptor, const Endpoint& at)
      : loop_(loop), descriptor_(descriptor), at_(at) {}
  bool watch();
  void on_ready(std::uint32_t events) override;

  async::Loop& loop_;
  int descriptor_;
  Endpoint at_;
  async::Loop::Handle handle_ = async::Loop::no_handle;
  void (*callback_)(void*) = nullptr;
  void* context_ = nullptr;
};

}  // namespace sluice::net
