// SPDX-License-Identifier: Apache-2.0
// A small HTTP server for the process's own ports (Admin API, control, status, metrics): each request is
// handed to one function, which pulls the body if it wants it, and the reply is sent. Lives on one loop,
// beside whatever else runs there.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "async/child.h"
#include "http/server_connection.h"
#include "net/tls.h"

namespace sluice::http {

class Service {
 public:
  // The request outlives the task.
  using Handler = std::function<async::Task<Reply>(Request&, const Endpoint& peer)>;
  Service(async::Loop& loop, net::Network& network, Handler handler);
  ~Service();

  Result<Endpoint> listen(Endpoint at, std::shared_ptr<const net::TlsContext> tls = nullptr,
                          net::ListenOptions options = {.reuse_port = false});
  // Takes no more connections; those there are end behind their next answer, which says so.
  void drain();
  void set_server_header(std::string value) { options_.server_header = std::move(value); }
  std::size_t connections() const { return clients_.size(); }
  // Requests whose answer has not been sent whole.
  std::size_t answering() const { return answering_; }

 private:
  struct Client;
  static constexpr std::size_t connections_max = 1000;
  void take(net::Accepted accepted, std::shared_ptr<const net::TlsContext> tls);
  async::Task<> run(Client& client, std::shared_ptr<const net::TlsContext> tls);
  async::Task<bool> serve(ServerConnection& connection);
  void ended(Client& client);

  async::Loop& loop_;
  net::Network& network_;
  Handler handler_;
  ServerOptions options_;
  std::size_t answering_ = 0;
  bool draining_ = false;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace sluice::http
