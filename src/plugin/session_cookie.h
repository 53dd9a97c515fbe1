// SPDX-License-Identifier: Apache-2.0
// What a browser is to remember for a plugin, in cookies that it can neither read nor change: a JSON object,
// sealed, over several cookies when it is large; or a name of it, when it is kept in Redis. Sessions end when
// they were not used for a while, and when they are old, whatever the browser says. Used by the worker that
// owns the exchange.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/fields.h"
#include "plugin/exchange.h"
#include "plugin/redis.h"

namespace sluice::plugin {

enum class SameSite : std::uint8_t { strict, lax, none, unsaid };
json::Names enum_names(SameSite);
enum class SessionStorage : std::uint8_t { cookie, redis };
json::Names enum_names(SessionStorage);

struct SessionRedis {
  std::string host = "127.0.0.1", username, password, prefix = "sessions", server_name;
  std::uint16_t port = 6379;
  std::uint32_t database = 0;
  std::int64_t connect_timeout = 1000, read_timeout = 1000, send_timeout = 1000, keepalive_timeout = 10000;
  bool ssl = false, ssl_verify = true;
  void describe(json::Fields& field);
  RedisConfig config() const;
};

// As lua-resty-session 4 has it; times in seconds, 0: no end.
struct SessionConfig {
  struct Cookie {
    std::int64_t lifetime = 0;
    void describe(json::Fields& field);
  };
  std::string secret, cookie_name = "session", cookie_path = "/", cookie_domain;
  bool cookie_http_only = true;
  std::optional<bool> cookie_secure;  // unsaid: when the client came by https
  SameSite cookie_same_site = SameSite::lax;
  std::int64_t idling_timeout = 900, rolling_timeout = 3600, absolute_timeout = 86400;
  SessionStorage storage = SessionStorage::cookie;
  Cookie cookie;
  std::optional<SessionRedis> redis;
  void describe(json::Fields& field);
};

class SessionCookies {
 public:
  static constexpr std::size_t piece_max = 3800;  // bytes of one cookie's value
  static constexpr std::size_t pieces_max = 8;    // more is not kept: a request's head has its limit, too

  // Sessions of another `scope` are not known here, though the secret be the same.
  SessionCookies(SessionConfig config, std::string_view scope);

  struct Session {
    json::Value data = json::Value::object();
    std::string id;                // of a session in Redis
    std::int64_t started = 0, used = 0;  // seconds since 1970
    bool stale = false;            // to be written again soon, lest it end though it is used
  };
  const SessionConfig& config() const { return config_; }

  // The request's session; nothing when there is none that holds. An error when Redis cannot be asked.
  async::Task<Result<std::optional<Session>>> read(Exchange& x, Redis& redis) const;
  // Set-Cookie fields that give the client the session; an error when it is too large or cannot be kept.
  async::Task<Result<std::vector<std::string>>> write(Exchange& x, Redis& redis, Session session) const;
  // Those that take it away.
  async::Task<std::vector<std::string>> end(Exchange& x, Redis& redis, std::string id) const;
  // Whether nobody else changes that session in Redis at the moment; the right to do so is this caller's for
  // so long, or until it is released.
  async::Task<Result<bool>> claim(Redis& redis, std::string id, Duration life) const;
  async::Task<> release(Redis& redis, std::string id) const;
  // The upstream does not see them.
  void hide(Exchange& x) const;

 private:
  std::string name_of(std::size_t piece) const;
  std::string cookie(Exchange& x, std::size_t piece, std::string_view value) const;
  std::size_t pieces_of(Exchange& x) const;
  std::optional<Session> opened(std::string_view sealed, std::int64_t now) const;
  std::string sealed(const Session& session) const;
  std::string redis_key(std::string_view id) const;

  SessionConfig config_;
  std::string key_, context_;
};

}  // namespace sluice::plugin
