// SPDX-License-Identifier: Apache-2.0
// The server side of one HTTP/2 connection (RFC 9113), by nghttp2: frames in, frames out, and its streams,
// each of which is a ServerSide of one request. Flow control is back-pressure: a window opens again only when
// whoever serves the request has taken its bytes, and a response's body is pulled only as the client takes
// it. What a client may do at no cost of its own (resets, pings, settings, empty frames) is counted, and too
// much of it ends the connection. Owned by a session; one loop.
#pragma once
#include <coroutine>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "async/child.h"
#include "http/server_connection.h"

struct nghttp2_session;

namespace sluice::http {

class Http2Stream;

class Http2Server {
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
  ~Http2Server();

  // Until the connection ends. Its frame may be destroyed at any time.
  async::Task<> run();
  // Takes no more requests; ends behind the last response.
  void drain();
  bool idle() const { return streams_.empty(); }
  void ended(Http2Stream& stream);

  net::Stream& stream() { return *stream_; }
  const Endpoint& peer() const { return peer_; }
  const Endpoint& local() const { return local_; }
  const ServerOptions& options() const { return options_; }
  std::uint32_t requests() const { return requests_; }

 private:
  friend class Http2Stream;
  friend struct Http2Callbacks;
  // Waits until a write found the socket full.
  struct Full {
    Http2Server& server;
    bool await_ready() const { return server.full_; }
    void await_suspend(std::coroutine_handle<> waiter) { server.writer_waits_ = waiter; }
    void await_resume() const {}
  };
  void begin();
  bool take(const char* bytes, std::size_t size);
  void start_ready();
  void wake_streams();
  void flush_soon();
  void flush();
  void produce();
  async::Task<> write_when_possible();
  bool over() const;
  Http2Stream* find(std::int32_t id) const;
  void closed(Http2Stream& stream, std::uint32_t error);
  void bury(Http2Stream& stream);
  // False when the client has done too much of what costs it nothing.
  bool tolerates(unsigned cost);
  static void flush_due(void* self);

  std::unique_ptr<net::Stream> stream_;
  Endpoint peer_, local_;
  const ServerOptions& options_;
  Handler& handler_;
  std::string input_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<Http2Stream>> streams_;
  std::vector<std::unique_ptr<Http2Stream>> dead_;  // destroyed when nothing of them can be running
  std::vector<std::int32_t> ready_, woken_;  // to be started, and resumed, outside of nghttp2
  std::string out_;             // frames that the socket has not taken
  std::size_t out_from_ = 0;
  std::uint32_t requests_ = 0;
  double patience_ = 0;         // what is left of it
  Instant patience_at_;
  bool full_ = false, broken_ = false, draining_ = false, flushing_ = false;
  std::coroutine_handle<> writer_waits_;
  async::Timer flush_timer_;
  async::Child writer_;         // last: destroyed first
};

}  // namespace sluice::http
