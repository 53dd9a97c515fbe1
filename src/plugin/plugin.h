// SPDX-License-Identifier: Apache-2.0
// What a plugin is. One immutable object compiled from its config when the config is published; every worker
// shares it, so phases are const. Override the phases you need; one you leave out is never called. A phase
// that does not wait is an ordinary function that returns a ready Task. `docs/writing_a_plugin.md` walks
// through one.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "async/task.h"
#include "http/message.h"
#include "json/fields.h"

namespace sluice::plugin {

class Exchange;
class Worker;
struct UpstreamUse;

// A reply ends the request here; nothing lets it go on.
using Verdict = std::unique_ptr<http::Reply>;
using VerdictTask = async::Task<Verdict>;

inline Verdict pass() { return nullptr; }
Verdict reply(int status);                       // nginx's page for the status; nothing below 300
Verdict reply(int status, std::string text);     // text/plain
Verdict reply_json(int status, json::Value body);
Verdict reply_message(int status, std::string_view message);  // {"message": …}
// The plugin has made x.response what is to be sent, of bytes that live as long as the exchange.
Verdict reply_made();
inline constexpr int status_made = 0;  // of such a reply

class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual VerdictTask rewrite(Exchange&) const { return pass(); }       // before the consumer is known
  virtual VerdictTask access(Exchange&) const { return pass(); }        // may this request go on?
  virtual VerdictTask before_proxy(Exchange&) const { return pass(); }  // just before a peer is asked
  virtual void received(Exchange&) const {}  // a peer's head is there, as it came: no plugin has touched it
  virtual void response(Exchange&) const {}  // the response's head is there: x.response may be changed
  virtual void body(Exchange&) const {}      // may put a filter around x.response.body
  virtual void log(Exchange&) const {}       // after the last byte; always runs
  // The same below HTTP (x.stream): may this connection go on? A reply ends it, and its status is logged.
  virtual VerdictTask preread(Exchange&) const { return pass(); }
  virtual void stream_log(Exchange&) const {}  // after its last byte; always runs
  // The upstreams it may send requests to instead of the route's (Exchange::send_to).
  virtual std::span<const UpstreamUse> upstreams() const { return {}; }
};

enum class Phase : std::uint16_t {
  rewrite = 1,
  access = 2,
  before_proxy = 4,
  response = 8,
  body = 16,
  log = 32,
  received = 64,
  preread = 128,
  stream_log = 256
};

// What a plugin may be written for: requests, or connections below HTTP (stream_routes).
enum class Subsystem : std::uint8_t { http, stream };

// An endpoint of a plugin's own, which plugin public-api lets out on a route.
struct PublicApi {
  std::string_view method, path;  // "POST", "/apisix/batch-requests"
  VerdictTask (*answer)(Exchange&) = nullptr;
};

// The same, where this process has it.
struct ApiEndpoint {
  std::string_view method;
  std::string path;
  VerdictTask (*answer)(Exchange&) = nullptr;
};

struct Info {
  std::string_view name;      // "ip-restriction"
  std::string_view summary;   // one sentence
  int priority;               // APISIX's number; the order is that of plugins/list.cpp
  std::string_view example;   // a config that works, JSON
  bool authenticates = false;  // it attaches a consumer
  std::span<const PublicApi> apis = {};  // of static life
};

// How the platform handles one type of config: its schema and how it is checked.
struct ConfigType {
  json::Value (*schema)() = nullptr;
  bool (*check)(const json::Value& config, json::Reader& reader) = nullptr;
  // What was read, written again with every default; null when it does not hold.
  json::Value (*written)(const json::Value& config, json::Reader& reader) = nullptr;
};

struct PluginType : Info {
  std::uint16_t phases = 0;
  std::uint16_t* index = nullptr;  // its place in the list, set once at start
  ConfigType config, consumer, metadata;
  // The plugin object; null with problems when the config does not hold. `owner` is the key of the resource
  // it is written in ("/apisix/routes/1"), the same in every process.
  std::unique_ptr<const Plugin> (*make)(const json::Value& config, json::Reader& reader,
                                        std::string_view owner) = nullptr;
  // Consumer side of an authenticating plugin: the compiled config and what it is looked up by.
  std::shared_ptr<const void> (*make_consumer)(const json::Value& config, json::Reader&,
                                               std::string& credential) = nullptr;
  std::shared_ptr<const void> (*make_metadata)(const json::Value& config, json::Reader&) = nullptr;

  bool runs_in(Phase phase) const { return (phases & static_cast<std::uint16_t>(phase)) != 0; }
  bool serves(Subsystem subsystem) const {
    const bool below = runs_in(Phase::preread) || runs_in(Phase::stream_log);
    return subsystem == Subsystem::stream ? below : (phases & 127) != 0;
  }
};

namespace detail {
template <class T>
inline std::uint16_t type_index = 0;

// &T::access names the class that declares it, so an inherited default still has Plugin's type.
template <class T>
constexpr std::uint16_t phases_of() {
  unsigned phases = 0;
  if (!std::is_same_v<decltype(&T::rewrite), decltype(&Plugin::rewrite)>) phases |= 1;
  if (!std::is_same_v<decltype(&T::access), decltype(&Plugin::access)>) phases |= 2;
  if (!std::is_same_v<decltype(&T::before_proxy), decltype(&Plugin::before_proxy)>) phases |= 4;
  if (!std::is_same_v<decltype(&T::response), decltype(&Plugin::response)>) phases |= 8;
  if (!std::is_same_v<decltype(&T::body), decltype(&Plugin::body)>) phases |= 16;
  if (!std::is_same_v<decltype(&T::log), decltype(&Plugin::log)>) phases |= 32;
  if (!std::is_same_v<decltype(&T::received), decltype(&Plugin::received)>) phases |= 64;
  if (!std::is_same_v<decltype(&T::preread), decltype(&Plugin::preread)>) phases |= 128;
  if (!std::is_same_v<decltype(&T::stream_log), decltype(&Plugin::stream_log)>) phases |= 256;
  return static_cast<std::uint16_t>(phases);
}

template <class C>
constexpr ConfigType config_type() {
  return {[] { return json::schema<C>(); },
          [](const json::Value& config, json::Reader& reader) {
            C parsed;
            return json::read(config, parsed, reader);
          },
          [](const json::Value& config, json::Reader& reader) {
            C parsed;
            return json::read(config, parsed, reader) ? json::write(parsed) : json::Value();
          }};
}

template <class C>
std::shared_ptr<const void> make_config(const json::Value& config, json::Reader& reader) {
  auto parsed = std::make_shared<C>();
  if (!json::read(config, *parsed, reader)) return nullptr;
  return parsed;
}
}  // namespace detail

// Describes plugin class T: T::Config is its config; T::Consumer (with `std::string credential() const`) and
// T::Metadata are described if it has them.
template <class T>
constexpr PluginType plugin(Info info) {
  static_assert(detail::phases_of<T>() != 0, "a plugin overrides at least one phase");
  PluginType type{info, detail::phases_of<T>(), &detail::type_index<T>,
                  detail::config_type<typename T::Config>()};
  type.make = [](const json::Value& config, json::Reader& reader,
                 std::string_view owner) -> std::unique_ptr<const Plugin> {
    typename T::Config parsed;
    if (!json::read(config, parsed, reader)) return nullptr;
    if constexpr (std::is_constructible_v<T, typename T::Config, std::string_view>)
      return std::make_unique<const T>(std::move(parsed), owner);
    else return std::make_unique<const T>(std::move(parsed));
  };
  if constexpr (requires { typename T::Consumer; }) {
    type.consumer = detail::config_type<typename T::Consumer>();
    type.make_consumer = [](const json::Value& config, json::Reader& reader, std::string& credential) {
      auto made = detail::make_config<typename T::Consumer>(config, reader);
      if (made) credential = static_cast<const typename T::Consumer*>(made.get())->credential();
      return made;
    };
  }
  if constexpr (requires { typename T::Metadata; }) {
    type.metadata = detail::config_type<typename T::Metadata>();
    type.make_metadata = detail::make_config<typename T::Metadata>;
  }
  return type;
}

}  // namespace sluice::plugin
