// SPDX-License-Identifier: Apache-2.0
// One client connection below HTTP on a worker, from its first byte to its last: a stream route leads it to
// an upstream, and bytes go both ways. It belongs to the worker's `Streams`; the snapshot it began with is
// pinned for its life, so that an edit cuts nobody off.
#pragma once
#include <array>
#include <memory>
#include <string_view>

#include "async/child.h"
#include "gateway/settings.h"
#include "gateway/stream_serving.h"
#include "net/network.h"
#include "net/proxy_protocol.h"
#include "net/tls_front.h"

namespace sluice::gateway {

class Streams;
class Worker;

// A port of connections below HTTP, as its sessions see it.
struct StreamPort {
  StreamListen at;
  std::string text;  // of the endpoint
  std::shared_ptr<const net::TlsFront> tls;  // null without TLS
};

class StreamSession {
 public:
  StreamSession(Streams& owner, Worker& worker, std::shared_ptr<const StreamPort> port,
                net::Accepted accepted, std::uint64_t number);
  StreamSession(const StreamSession&) = delete;
  void start() { life_.start(run()); }

  std::size_t place = 0;  // in the owner's list

 private:
  friend struct ServingStream;
  async::Task<> run();
  async::Task<bool> take_proxy_header(Instant deadline);
  async::Task<bool> accept_tls(Instant deadline);
  async::Task<> serve();
  void log_unserved();
  StreamServing::From from() const;

  Streams& owner_;
  Worker& worker_;
  std::shared_ptr<const StreamPort> port_;
  net::Accepted accepted_;
  std::unique_ptr<const net::ProxyHeader> proxy_header_;
  std::uint64_t number_;
  Instant started_;
  async::Child life_;  // last: destroyed first
};

}  // namespace sluice::gateway
