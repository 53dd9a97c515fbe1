// SPDX-License-Identifier: Apache-2.0
// One request and its response, from the first byte of the head to the log phase, or one connection below
// HTTP (`stream`): what plugins, variables and the pipeline share. It belongs to one worker, lives in the
// frame that serves it and is never copied. What it points to (route, consumer, snapshot) is pinned for its
// life.
#pragma once
#include <cstdint>
#include <string_view>

#include "async/loop.h"
#include "base/address.h"
#include "base/arena.h"
#include "base/time.h"
#include "http/message.h"
#include "plugin/plugin.h"
#include "plugin/resources.h"

namespace sluice::net {
class TlsFacts;
struct ProxyHeader;
}

namespace sluice::plugin {

// What an exchange tells about the upstream's side, for variables, metrics and logs.
struct UpstreamSide {
  std::string_view scheme = "http";
  std::string_view host;        // the Host field sent
  std::string_view target;      // what is asked for when it is not the client's target
  std::string_view method;      // likewise
  std::string_view addresses;   // "127.0.0.1:80, 127.0.0.1:81": every peer asked
  std::string_view statuses;    // "502, 200"
  std::string_view balancer_ip;  // the last peer
  std::string_view authority;    // the same as it was written: a name or an address, with its port or without
  std::uint16_t balancer_port = 0;
  int status = 0;               // of the last answer, 0 without one
  Duration connect_time{-1};    // of the last attempt; negative when it did not come so far
  Duration header_time{-1};     // till the response head
  Duration response_time{-1};   // till the end
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
};

class StreamSide;  // plugin/stream_side.h

// Where a response was made.
enum class ResponseSource : std::uint8_t { none, upstream, gateway };

class Exchange {
 public:
  Exchange(Worker& the_worker, const Endpoint& client_end, const Endpoint& server_end);
  Exchange(const Exchange&) = delete;
  ~Exchange();

  Arena arena;
  http::Request request{arena};
  http::Response response{arena};
  Worker& worker;

  Endpoint client;               // the TCP peer, or whom its PROXY header names
  Endpoint server;               // the address it connected to
  Endpoint remote;               // the client as trusted headers tell it; `client` otherwise
  std::string_view remote_text;  // remote's address as text
  std::string_view client_text;  // client's
  std::string_view server_port_text;  // server's port
  StreamSide* stream = nullptr;  // of a connection below HTTP; null for a request
  const net::TlsFacts* tls = nullptr;  // of the client's connection; null without TLS
  const net::ProxyHeader* proxy_header = nullptr;  // what the connection began with; null without one
  const ConfigView* config = nullptr;   // the pinned snapshot
  const RouteInfo* route = nullptr;     // null until, or when no, route matched
  const Consumer* consumer = nullptr;
  std::string_view consumer_name;       // of `consumer`, or what an authenticating plugin says
  std::string_view matched_uri, matched_host;  // the route's patterns that matched
  std::string_view jwt_payload;         // JSON, when plugin jwt-auth is asked to keep it
  std::string_view request_id;          // apisix_request_id; made when first asked for
  std::uint64_t connection_number = 0;
  std::uint32_t connection_requests = 0;  // this one included

  Instant started;               // first byte of the head
  std::int64_t started_wall = 0;  // nanoseconds since 1970
  std::uint64_t request_size = 0;         // bytes read, head and body
  std::uint64_t response_size = 0;        // bytes sent, head and body
  std::uint64_t response_body_size = 0;   // bytes of body sent
  UpstreamSide upstream;
  struct Chosen {
    const Plugin* plugin = nullptr;  // null: the route's upstream
    std::size_t upstream = 0;
  };
  Chosen chosen;
  ResponseSource source = ResponseSource::none;
  bool trusted_client = false;   // its X-Forwarded-* fields are believed
  bool forwarded_reset = false;  // not even X-Forwarded-For is kept
  bool wants_body = false;       // a variable would look into the body, which is not in memory

  // The client is who trusted headers say it is.
  void set_remote(const Endpoint& found);
  // The request goes to one of the plugin's upstreams() instead of the route's.
  void send_to(const Plugin& plugin, std::size_t index) { chosen = {&plugin, index}; }
  // Whether the client came by https, as a trusted X-Forwarded-Proto tells it.
  bool is_secure() const;
  // The path and query that routing and plugins see are request.path and request.query; `set_target` changes
  // what the upstream is asked for, path and query.
  // Bytes that a request line cannot hold are percent-encoded.
  void set_target(std::string_view target);

  // Parameters a route's pattern captured: uri_param_NAME.
  struct Parameter {
    std::string_view name, value;
  };
  const Parameter* parameters = nullptr;
  std::uint32_t parameter_count = 0;

  // Attaches a consumer: its chain is chosen behind the rewrite phase, and the upstream is told who it is
  // (X-Consumer-Username, X-Credential-Identifier when it is known by a credential, and X-Consumer-Custom-ID
  // from the consumer's label custom_id).
  void authenticate(const Consumer& found);

  // State of one plugin for this exchange, made on first use. `owner` is the plugin object, or any object of
  // static life that several of a kind share.
  template <class T, class Owner>
  T& state(const Owner& owner) {
    if (void* found = find_state(&owner)) return *static_cast<T*>(found);
    T* made = arena.make<T>();
    keep_state(&owner, made);
    return *made;
  }
  template <class T, class Owner>
  T* existing_state(const Owner& owner) {
    return static_cast<T*>(find_state(&owner));
  }

  // The plugin type's metadata, defaults when none is stored.
  template <class T>
  const typename T::Metadata& metadata() const {
    static const typename T::Metadata defaults{};
    const void* stored = config->metadata(detail::type_index<T>);
    return stored == nullptr ? defaults : *static_cast<const typename T::Metadata*>(stored);
  }
  // The consumer that authenticating plugin T knows by `credential`; null when there is none.
  template <class T>
  const Consumer* find_consumer(std::string_view credential) const {
    return config->consumer_by_credential(detail::type_index<T>, credential);
  }
  // What the consumer carries for authenticating plugin T; null when it carries nothing.
  template <class T>
  static const typename T::Consumer* consumer_config(const Consumer& consumer) {
    return consumer.config<typename T::Consumer>(detail::type_index<T>);
  }
  // State of one plugin object on this worker, made on first use as T(worker); it survives edits that leave
  // the plugin's config alone.
  template <class T>
  T& local(const Plugin& plugin);

 private:
  struct State {
    const void* owner;
    void* value;
    State* next;
  };
  void* find_state(const void* owner) const;
  void keep_state(const void* owner, void* value);
  State* states_ = nullptr;
};

}  // namespace sluice::plugin

#include "plugin/worker.h"  // Exchange::local
