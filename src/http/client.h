// SPDX-License-Identifier: Apache-2.0
// Requests of the gateway's own to one server, over HTTP/1.1 with or without TLS: a store's server, for one.
// Connections are kept and used again. A response comes whole and bounded, or as a stream that goes on for as
// long as the server has something to say. Belongs to one loop and outlives its tasks and streams.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "http/client_connection.h"
#include "net/network.h"
#include "net/tls.h"

namespace sluice::http {

class Client {
 public:
  struct Server {
    std::string host;       // a name or an address, without brackets
    std::uint16_t port = 80;
    std::string authority;  // the Host field
    std::shared_ptr<const net::TlsContext> tls;  // null: plain TCP
    std::string server_name;  // asked for in the handshake and looked for in the certificate; "": the host
  };
  // One address of a name.
  using Resolve = std::function<async::Task<Result<IpAddress>>(std::string name, Instant deadline)>;
  using Fields = std::vector<std::pair<std::string, std::string>>;

  struct Question {
    std::string method = "POST";
    std::string target;
    Fields headers;
    std::string body;
    Instant deadline = never;  // of the whole; of a stream: until its head is there
    std::size_t answer_max = 1 << 20;  // bytes of the body; more is an error of kind `limit`
    bool repeatable = false;  // asked once more, when a kept connection ends before the first byte came
  };
  struct Answer {
    int status = 0;
    std::string body;
    Fields headers;
  };

  // A response that is read while it comes.
  class Streamed {
   public:
    virtual ~Streamed() = default;
    virtual int status() const = 0;
    // The next piece, empty at the end; it lives until the next call. Nothing for `patience` of `open` is an
    // error of kind `timeout`.
    virtual async::Task<Result<std::string_view>> next() = 0;
  };

  Client(async::Loop& loop, net::Network& network, Server server, Resolve resolve);
  Client(const Client&) = delete;
  ~Client();

  const Server& server() const { return server_; }
  // An error may be retried when nothing of the request has been acted upon, for it was not sent.
  async::Task<Result<Answer>> ask(Question question);
  async::Task<Result<std::unique_ptr<Streamed>>> open(Question question, Duration patience);

 private:
  class Exchange;
  static constexpr std::size_t idle_max = 8;
  async::Task<Result<std::unique_ptr<Exchange>>> begin(std::shared_ptr<const Question> question,
                                                      Duration patience);
  async::Task<Result<std::unique_ptr<ClientConnection>>> connect(Instant deadline);
  async::Task<Result<Endpoint>> address(Instant deadline);
  std::unique_ptr<ClientConnection> take_idle();

  async::Loop& loop_;
  net::Network& network_;
  Server server_;
  Resolve resolve_;
  std::vector<std::unique_ptr<ClientConnection>> idle_;
};

}  // namespace sluice::http
