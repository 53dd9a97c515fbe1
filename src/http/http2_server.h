// SPDX-License-Identifier: Apache-2.0
// The server side of one HTTP/2 connection (RFC 9113), by nghttp2: frames in, frames out, and its streams,
// each of which is a ServerSide of one request. Flow control is back-pressure: a window opens again only when
// whoever serves the request has taken its bytes, and a response's body is pulled only as the client takes
// it. What a client may do at no cost of its own (resets, pings, settings, empty frames) is counted, and too
// much of it ends the connection. Owned by a session; one loop.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "http/http2_connection.h"
#include "http/server_connection.h"

namespace sluice::http {

class Http2Stream;

class Http2Server final : public Http2Connection {
 public:
  // Serves one stream, in a task that the stream owns; calls `ended` at its end.
  class Handler {
   public:
    virtual async::Task<> serve(Http2Stream& stream) = 0;

   protected:
    ~Handler() = default;
  };

  // `input` is what was read of the connection already.
  Http2Server(net::Accepted accepted, std::string_view input, const ServerOptions& options, Handler& handler);
  ~Http2Server() override;

  // Until the connection ends. Its frame may be destroyed at any time.
  async::Task<> run();
  // Takes no more requests; ends behind the last response.
  void drain();
  bool idle() const { return streams_.empty(); }
  void ended(Http2Stream& stream);

  const Endpoint& peer() const { return peer_; }
  const Endpoint& local() const { return local_; }
  const ServerOptions& options() const { return options_; }
  std::uint32_t requests() const { return requests_; }

 private:
  friend class Http2Stream;
  friend struct Http2Callbacks;
  void begin();
  bool read(const char* bytes, std::size_t size);
  void start_ready();
  void before_flush() override;
  void after_flush() override;
  bool over() const;
  Http2Stream* find(std::int32_t id) const;
  void closed(Http2Stream& stream, std::uint32_t error);
  void bury(Http2Stream& stream);

  Endpoint peer_, local_;
  const ServerOptions& options_;
  Handler& handler_;
  std::string input_;
  std::unordered_map<std::int32_t, std::unique_ptr<Http2Stream>> streams_;
  std::vector<std::unique_ptr<Http2Stream>> dead_;  // destroyed when nothing of them can be running
  std::vector<std::int32_t> ready_;  // to be started, outside of nghttp2
  std::uint32_t requests_ = 0;
  bool draining_ = false;
};

}  // namespace sluice::http
