// SPDX-License-Identifier: Apache-2.0
// The upstream's side of one exchange: picks a peer, asks it, tries another while that is safe, and owns the
// connection until the response has been passed on. Lives in the frame that serves the exchange and dies with
// it.
#pragma once
#include <memory>

#include "async/child.h"
#include "gateway/snapshot.h"
#include "http/client_connection.h"
#include "http/http2_call.h"
#include "http/server_connection.h"
#include "plugin/exchange.h"
#include "upstream/http2_pool.h"

namespace sluice::gateway {

class Worker;

class Forward {
 public:
  Forward(plugin::Exchange& x, Worker& worker, http::ServerSide& client)
      : x_(x), worker_(worker), client_(client) {}
  Forward(const Forward&) = delete;
  ~Forward() { release(); }

  // Asks a peer of `destination`: null with x.response filled, or the reply of a failure.
  plugin::VerdictTask ask(const RouteTarget& target, const Destination& destination);
  // The response has been sent, or given up.
  void finish();
  // Gives the connection back, or drops it.
  void release();

  // The peer switched protocols; what follows is for the tunnel.
  bool upgraded() const { return upgraded_; }
  http::ClientConnection& connection() { return *connection_; }
  Duration tunnel_patience() const { return timeouts_.read; }
  std::uint64_t request_body_size() const { return request_body_size_; }

 private:
  void begin(const RouteTarget& target, const Destination& destination);
  plugin::VerdictTask ask_http1();
  void take_connection(const upstream::Peer& peer, bool fresh);
  async::Task<Result<>> connect(const upstream::Peer& peer);
  Error explained(Error error) const;
  async::Task<Result<>> send_request(const upstream::Peer& peer);
  async::Task<Result<>> send_rest(net::Buffer head, std::string_view body, ssize_t written);
  async::Task<Result<>> read_beside_upload();
  bool final_head() const;
  async::Task<Result<>> pass_interim();
  Result<> take_response();
  void begin_upload();
  async::Task<> upload();
  async::Task<> upload_failed();
  const upstream::Peer* pick();
  std::uint32_t hash_key() const;
  upstream::PoolKey pool_key(const upstream::Peer& peer) const;
  bool may_retry(const Error& error) const;
  bool may_try_another(const upstream::Peer& peer, const Error& error) const;
  void report(const upstream::Peer& peer, const Result<>& outcome);
  void note_attempt(const upstream::Peer& peer, const Result<>& outcome);
  plugin::Verdict refusal(const Error& error);
  bool has_uploaded() const;

  // ---- forward_http2.cpp ----
  plugin::VerdictTask ask_http2();
  async::Task<Result<http::Http2Client*>> connect_http2(const upstream::Peer& peer);
  Result<> send_http2(const upstream::Peer& peer, http::Http2Client& connection);
  async::Task<> upload_http2();
  Result<> look_at_call(ssize_t told) const;
  Result<> take_http2_response();
  void finish_http2();

  plugin::Exchange& x_;
  Worker& worker_;
  http::ServerSide& client_;
  const RouteTarget* target_ = nullptr;
  const Destination* destination_ = nullptr;
  const upstream::Upstream* upstream_ = nullptr;
  upstream::Timeouts timeouts_;
  const upstream::Peer* peer_ = nullptr;
  const upstream::Peer** tried_ = nullptr;  // in the arena
  std::size_t tried_count_ = 0;
  std::unique_ptr<http::ClientConnection> connection_;
  http::Http2Call* call_ = nullptr;  // over HTTP/2, instead of the connection; in the arena
  net::Buffer response_memory_;  // the response's head stands here
  Instant begun_, attempt_started_;
  Instant deadline_ = never;  // of a gRPC call
  bool reused_ = false;
  bool upgraded_ = false;
  bool in_flight_ = false;  // the balancer was told that a request began
  bool body_begun_ = false;  // part of a request body that cannot be sent again has been taken
  std::uint64_t request_body_size_ = 0;
  Result<> upload_result_;
  async::Child upload_;  // last: destroyed first
};

}  // namespace sluice::gateway
