// SPDX-License-Identifier: Apache-2.0
// What a worker offers to plugins: its loop, outbound HTTP, its number, and a home for state that belongs to
// one plugin object on one worker. Used on the worker's thread only.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "async/loop.h"
#include "http/message.h"
#include "net/datagram.h"
#include "net/stream.h"
#include "plugin/exchange.h"  // comes first: Exchange is complete here
#include "plugin/metrics.h"

namespace sluice::plugin {

// A request of the gateway's own, as loggers and authenticating plugins send them.
struct Outbound {
  std::string method = "GET";
  std::string url;  // http or https
  std::string authority;    // the Host field; empty: of the url
  std::string
      server_name;  // asked for in a TLS handshake and looked for in the certificate; empty: of the url
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Duration timeout = std::chrono::seconds(3);  // for the whole of it
  bool verify = true;                          // the server's certificate
  std::size_t response_max = 1 << 20;          // bytes of body; more is an error
};

struct OutboundReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// A connection that a plugin speaks a protocol of its own over.
struct ConnectTo {
  std::string host;  // a name or an address
  std::uint16_t port = 0;
  bool tls = false;
  bool verify = true;  // the server's certificate
  Instant deadline = never;
};

// Worker-local state of one plugin object.
class Local {
 public:
  virtual ~Local() = default;
  // The plugin object is gone, or the worker ends: finish what is pending. Destroyed when the task has ended.
  virtual async::Task<> close() { return {}; }
};

// How large a body may be for variables to look into it, in bytes.
struct BodyLimits {
  std::size_t arguments =
      1 << 20;  // post_arg_*, post_arg.*, request_body (apisix.max_post_args_readable_size)
  std::size_t graphql = 1 << 20;    // graphql_* (graphql.max_size)
};

class Worker {
 public:
  Worker(async::Loop& the_loop, unsigned the_number) : loop(the_loop), number(the_number) {}
  virtual ~Worker() = default;

  async::Loop& loop;
  const unsigned number;  // 0 to workers-1
  Metrics metrics;        // of all requests that plugin prometheus sees
  BodyLimits body_limits;
  const std::vector<ApiEndpoint>* public_apis = nullptr;  // of the plugins that run here; null: none
  // The metrics of all workers as Prometheus scrapes them, where a route may show them; set by main/.
  std::function<async::Task<http::Reply>()> metrics_text;
  std::uint16_t https_port = 0;  // where plugin redirect sends clients to; 0: none is known

  // Pooled connections, TLS verified, cancelled with the awaiting frame.
  virtual async::Task<Result<OutboundReply>> ask(Outbound request) = 0;
  virtual async::Task<Result<std::unique_ptr<net::Stream>>> connect(ConnectTo to) = 0;
  // The same over UDP, where nothing tells whether anybody is there, and `tls` is not looked at.
  virtual async::Task<Result<std::unique_ptr<net::DatagramSocket>>> connect_datagrams(ConnectTo to) = 0;

  template <class T>
  T& local(const Plugin& plugin) {
    auto& slot = locals_[&plugin];
    if (slot == nullptr) slot = std::make_unique<T>(*this);
    return static_cast<T&>(*slot);
  }
  // Takes the state of a plugin object that is about to be destroyed.
  std::unique_ptr<Local> take_local(const Plugin& plugin);
  // Takes everything, at the worker's end.
  std::vector<std::unique_ptr<Local>> take_locals();

 private:
  std::unordered_map<const Plugin*, std::unique_ptr<Local>> locals_;
};

template <class T>
T& Exchange::local(const Plugin& plugin) {
  return worker.local<T>(plugin);
}

}  // namespace sluice::plugin
