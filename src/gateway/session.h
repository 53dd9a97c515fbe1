// SPDX-License-Identifier: Apache-2.0
// One client connection on a worker: serves its requests, one after the other or, over HTTP/2, beside each
// other, until either side is done. It
// belongs to the worker's list; when the client is gone while a request waits elsewhere, the session is
// destroyed and with it everything that the request had begun.
#pragma once
#include <array>
#include <memory>
#include <string_view>

#include "async/child.h"
#include "http/http2_server.h"
#include "http/server_connection.h"
#include "net/proxy_protocol.h"
#include "net/tls_front.h"

namespace sluice::gateway {

class Worker;

class Session final : public http::Http2Server::Handler {
 public:
  Session(Worker& worker, net::Accepted accepted, std::uint64_t number);
  // Serves from now on, behind a PROXY header when the port wants one; with `tls`, behind a handshake.
  void start(bool proxy_protocol, std::shared_ptr<const net::TlsFront> tls);

  http::ServerConnection& connection() { return *connection_; }
  Worker& worker() { return worker_; }
  std::uint64_t number() const { return number_; }
  // What the connection began with; null on ports that want no PROXY header.
  const net::ProxyHeader* proxy_header() const { return proxy_header_.get(); }
  // The TCP peer's address, or that of whom its PROXY header names.
  std::string_view client_text() const { return {client_text_.data(), client_text_size_}; }
  // The port it connected to.
  std::string_view port_text() const { return {port_text_.data(), port_text_size_}; }
  // The worker drains: the connection closes behind its next response.
  void drain();
  void close_if_idle();

  std::size_t place = 0;  // in the worker's list

 private:
  async::Task<> run(bool proxy_protocol, std::shared_ptr<const net::TlsFront> tls);
  async::Task<bool> open(bool proxy_protocol, std::shared_ptr<const net::TlsFront> tls);
  async::Task<bool> take_proxy_header();
  void set_client(const Endpoint& client);
  async::Task<> serve_requests();
  async::Task<> begin_http2();
  async::Task<> serve_http2(net::Accepted accepted, std::string_view input);
  async::Task<> serve(http::Http2Stream& stream) override;
  static void client_event(void* self);

  Worker& worker_;
  net::Accepted accepted_;
  std::unique_ptr<http::ServerConnection> connection_;
  std::unique_ptr<const net::ProxyHeader> proxy_header_;
  std::uint64_t number_;
  std::array<char, 46> client_text_;
  std::array<char, 5> port_text_;
  std::uint8_t client_text_size_, port_text_size_;
  bool idle_ = true;
  std::unique_ptr<http::Http2Server> http2_;  // instead of connection_
  async::Child life_;  // last: destroyed first
};

}  // namespace sluice::gateway
