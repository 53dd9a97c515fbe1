// SPDX-License-Identifier: Apache-2.0
// The client side of one HTTP/2 connection (RFC 9113): the requests of many exchanges over one connection to
// a server. No more of them at once than the server admits; a connection that the server is leaving (GOAWAY),
// that was asked often enough, or that has gone silent under a request takes no more, and ends behind the
// last one. Owned by a pool, which it tells when there is room again and when it has ended; one loop.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/http2_connection.h"
#include "http/parser.h"
#include "net/buffer.h"

namespace sluice::http {

class Http2Call;

struct Http2ClientOptions {
  HeadLimits head;                                   // of responses
  Duration idle_timeout = std::chrono::seconds(60);  // without a request; zero: it ends behind the last
  Duration send_timeout = std::chrono::seconds(60);  // the server takes nothing for so long
  std::uint32_t requests_max = 1000;                 // on one connection
};

class Http2Client final : public Http2Connection {
 public:
  class Owner {
   public:
    // A request ended, or the server admits more of them.
    virtual void has_room(Http2Client& connection) = 0;
    // It is over: to be destroyed, though not at once.
    virtual void ended(Http2Client& connection) = 0;

   protected:
    ~Owner() = default;
  };
  // Requests at once on one connection, however many the server would admit.
  static constexpr std::uint32_t streams_max = 128;

  Http2Client(std::unique_ptr<net::Stream> stream, const Http2ClientOptions& options, Owner& owner);
  ~Http2Client() override;
  void start();

  // Whether another request may begin.
  bool takes() const { return !retired_ && !broken_ && calls_.size() < streams_now_; }
  bool retired() const { return retired_ || broken_; }
  std::size_t calls() const { return calls_.size(); }
  std::uint32_t requests() const { return requests_; }
  // Takes no more requests.
  void retire();

 private:
  friend class Http2Call;
  friend struct Http2ClientCallbacks;
  async::Task<> run();
  void before_flush() override {}
  void after_flush() override;
  void begin(Http2Call& call);
  // The stream is over, or whoever asked has gone.
  void forget(Http2Call& call);
  void end(std::string why);
  static void idle_for_long(void* self);

  Http2ClientOptions options_;
  Owner& owner_;
  std::vector<Http2Call*> calls_;
  std::uint32_t streams_now_ = 100;  // at once, until the server says (RFC 9113 §6.5.2 recommends no less)
  std::uint32_t requests_ = 0;
  bool retired_ = false, ended_ = false;
  Instant last_read_;
  async::Timer idle_timer_;
  async::Child life_;  // last: destroyed first
};

}  // namespace sluice::http
