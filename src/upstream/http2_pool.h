// SPDX-License-Identifier: Apache-2.0
// HTTP/2 connections to upstream servers, one pool a worker: few a server, each with many requests at once.
// While a server's connections are full or not yet there, requests wait in line, and further connections are
// made, both within limits. Belongs to a worker and outlives whatever it gives a connection to; one loop.
#pragma once
#include <coroutine>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "async/child.h"
#include "http/http2_client.h"
#include "net/network.h"
#include "net/tls.h"
#include "upstream/pool.h"

namespace sluice::upstream {

// How a server is reached.
struct Http2Way {
  PoolKey key = 0;
  Endpoint endpoint;
  std::shared_ptr<const net::TlsContext> tls;  // null: plaintext, with prior knowledge (RFC 9113 §3.3)
  std::string name;                            // with TLS: asked for, and looked for in the certificate
  net::TlsResumption resumption;
  http::Http2ClientOptions options;
  Duration connect_timeout = std::chrono::seconds(60);
};

class Http2Pool {
 public:
  static constexpr std::size_t connections_max = 64;  // to one server
  static constexpr std::size_t waiting_max = 4096;    // requests in line for one server

  Http2Pool(async::Loop& loop, net::Network& network);
  Http2Pool(const Http2Pool&) = delete;
  ~Http2Pool();

  // A connection that takes a request now, or null.
  http::Http2Client* ready(PoolKey key) const;
  // Waits for one, for `connect_timeout` at most. The request has to begin before anything else is awaited.
  async::Task<Result<http::Http2Client*>> take(Http2Way way);
  std::size_t connections() const;

 private:
  class Server;
  class Turn;

  async::Loop& loop_;
  net::Network& network_;
  std::unordered_map<PoolKey, std::unique_ptr<Server>> servers_;
};

}  // namespace sluice::upstream
