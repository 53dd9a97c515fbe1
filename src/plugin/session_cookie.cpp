// SPDX-License-Identifier: Apache-2.0
#include "plugin/session_cookie.h"

#include <algorithm>

#include "base/cipher.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "json/text.h"
#include "plugin/cookie.h"

namespace sluice::plugin {
namespace {

constexpr std::int64_t seconds_unwritten_max = 60;  // while it is used
constexpr std::int64_t milliseconds_least = 1000;

// The value of a cookie of that name; the first counts.
std::optional<std::string_view> find_cookie(const http::Headers& headers, std::string_view name) {
  for (const auto& field : headers) {
    if (field.id != http::HeaderId::cookie) continue;
    for (const std::string_view piece : Split(field.value, ';')) {
      const std::string_view cookie = trim(piece);
      const std::size_t equals = cookie.find('=');
      if (equals != std::string_view::npos && cookie.substr(0, equals) == name)
        return cookie.substr(equals + 1);
    }
  }
  return std::nullopt;
}

std::int64_t whole(const json::Value& object, std::string_view name) {
  const auto* member = object.find(name);
  return member != nullptr && member->is_integer() ? member->as_int() : 0;
}

bool over(std::int64_t since, std::int64_t limit, std::int64_t now) {
  return limit > 0 && now - since > limit;
}

}  // namespace

json::Names enum_names(SameSite) {
  static constexpr std::string_view names[]{"Strict", "Lax", "None", "Default"};
  return names;
}

json::Names enum_names(SessionStorage) {
  static constexpr std::string_view names[]{"cookie", "redis"};
  return names;
}

void SessionRedis::describe(json::Fields& field) {
  field("host", host, "Host of the Redis that keeps sessions.").length(2, 1024);
  field("port", port, "Port of that Redis.").range(1, 65535);
  field("username", username, "User there, if any.").length(1, 1024);
  field("password", password, "The user's password.").length(0, 1024).secret();
  field("database", database, "Number of the database.").at_least(0);
  field("prefix", prefix, "What keys begin with.");
  field("ssl", ssl, "Speaks TLS with it.");
  field("ssl_verify", ssl_verify, "Verifies its certificate.");
  field("server_name", server_name, "The name its certificate has; that of host.");
  field("connect_timeout", connect_timeout, "Milliseconds to connect in.").at_least(1);
  field("send_timeout", send_timeout, "Milliseconds to send in.").at_least(1);
  field("read_timeout", read_timeout, "Milliseconds to wait for an answer.").at_least(1);
  field("keepalive_timeout", keepalive_timeout, "Milliseconds a connection is kept idle.")
      .at_least(milliseconds_least);
  field.open();
  if (field.reading() && !server_name.empty() && server_name != host)
    field.check(false, "server_name", "must be the host: its certificate is looked up by that");
}

RedisConfig SessionRedis::config() const {
  RedisConfig made;
  made.policy = Policy::redis;
  made.host = host;
  made.port = port;
  made.username = username;
  made.password = password;
  made.database = database;
  made.ssl = ssl;
  made.ssl_verify = ssl_verify;
  made.connect_timeout = connect_timeout;
  made.read_timeout = read_timeout;
  made.timeout = std::max({connect_timeout, read_timeout, send_timeout});
  made.keepalive_timeout = keepalive_timeout;
  return made;
}

void SessionConfig::Cookie::describe(json::Fields& field) {
  field("lifetime", lifetime, "Older name of absolute_timeout.");
  field.open();
}

void SessionConfig::describe(json::Fields& field) {
  constexpr std::size_t secret_least = 16;
  field("secret", secret, "What sessions are sealed with: the same on every gateway.")
      .required()
      .length(secret_least, 4096)
      .secret();
  field("cookie_name", cookie_name, "Name of the cookie; further pieces of a large session have a number.");
  field("cookie_path", cookie_path, "Path the cookie is sent to.");
  field("cookie_domain", cookie_domain, "Domain the cookie is sent to; the host's own.");
  field("cookie_secure", cookie_secure, "Sent over https only; unsaid: when the client came by https.");
  field("cookie_http_only", cookie_http_only, "Scripts do not see the cookie.");
  field("cookie_same_site", cookie_same_site, "Whether other sites' pages send it; Default says nothing.");
  field("idling_timeout", idling_timeout, "Seconds a session may be unused; 0: for ever.").at_least(0);
  field("rolling_timeout", rolling_timeout, "Seconds after which it must have been renewed; use renews it.")
      .at_least(0);
  field("absolute_timeout", absolute_timeout, "Seconds it may last in all; 0: for ever.").at_least(0);
  field("storage", storage, "Where sessions are kept: in the cookie itself, or in Redis.");
  field("cookie", cookie, "Older names.");
  field("redis", redis, "The Redis, with storage redis.");
  if (!field.reading()) return;
  const bool has_redis = storage != SessionStorage::redis || redis.has_value();
  field.check(has_redis, "redis", "is missing: storage redis needs it", "then clause did not match");
  const auto plain = [](char c) { return is_word(c) || c == '-' || c == '.'; };
  field.check(!cookie_name.empty() && std::ranges::all_of(cookie_name, plain), "cookie_name",
              "must be of letters, digits, '_', '-' and '.'");
  const auto fit = [](char c) { return c > ' ' && c < 0x7f && c != ';'; };
  field.check(std::ranges::all_of(cookie_path, fit), "cookie_path", "has a character that ends a cookie");
  field.check(std::ranges::all_of(cookie_domain, fit), "cookie_domain", "has a character that ends a cookie");
}

SessionCookies::SessionCookies(SessionConfig config, std::string_view scope)
    : config_(std::move(config)),
      key_(digest_of(Digest::sha256, "session " + config_.secret)),
      context_(config_.cookie_name + "\n" + std::string(scope)) {
  if (config_.cookie.lifetime > 0) config_.absolute_timeout = config_.cookie.lifetime;
}

std::string SessionCookies::name_of(std::size_t piece) const {
  return piece == 0 ? config_.cookie_name : config_.cookie_name + "_" + std::to_string(piece + 1);
}

std::size_t SessionCookies::pieces_of(Exchange& x) const {
  std::size_t count = 0;
  while (count < pieces_max && find_cookie(x.request.headers, name_of(count))) ++count;
  return count;
}

std::string SessionCookies::sealed(const Session& session) const {
  const json::Value written =
      json::Value::object({{"s", session.started}, {"u", session.used}, {"d", session.data}});
  return seal(key_, context_, json::dump(written));
}

std::optional<SessionCookies::Session> SessionCookies::opened(std::string_view sealed_text,
                                                              std::int64_t now) const {
  const auto text = unseal(key_, context_, sealed_text);
  if (!text) return std::nullopt;
  auto read = json::parse(*text);
  if (!read || !read->is_object()) return std::nullopt;
  Session session;
  session.started = whole(*read, "s");
  session.used = whole(*read, "u");
  if (over(session.used, config_.idling_timeout, now) || over(session.used, config_.rolling_timeout, now) ||
      over(session.started, config_.absolute_timeout, now))
    return std::nullopt;
  if (auto* data = read->find("d"); data != nullptr && data->is_object()) session.data = std::move(*data);
  session.stale = now - session.used >= seconds_unwritten_max;
  return session;
}

std::string SessionCookies::redis_key(std::string_view id) const {
  std::string hashed;  // who reads Redis cannot make a cookie of it
  append_hex(digest_of(Digest::sha256, id), hashed);
  return config_.redis->prefix + ":" + hashed;
}

async::Task<Result<std::optional<SessionCookies::Session>>> SessionCookies::read(Exchange& x,
                                                                                 Redis& redis) const {
  using Read = std::optional<Session>;
  const std::size_t pieces = pieces_of(x);
  if (pieces == 0) co_return Read();
  std::string text, bytes;
  for (std::size_t piece = 0; piece < pieces; ++piece)
    text += find_cookie(x.request.headers, name_of(piece)).value_or(std::string_view());
  if (!base64_decode(text, bytes, Base64::url)) co_return Read();
  const std::int64_t now = x.worker.loop.wall() / 1'000'000'000;
  if (config_.storage == SessionStorage::cookie) co_return opened(bytes, now);
  const auto id = unseal(key_, context_, bytes);
  if (!id) co_return Read();
  const std::string key = redis_key(*id);
  auto asking = redis.ask(key, {"GET", key});
  auto reply = co_await asking;
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->kind != RedisValue::Kind::text) co_return Read();
  auto session = opened(reply->text, now);
  if (session) session->id = *id;
  co_return session;
}

async::Task<Result<std::vector<std::string>>> SessionCookies::write(Exchange& x, Redis& redis,
                                                                    Session session) const {
  using Fields = std::vector<std::string>;
  const std::int64_t now = x.worker.loop.wall() / 1'000'000'000;
  if (session.started == 0) session.started = now;
  session.used = now;
  std::string bytes = sealed(session);
  if (config_.storage == SessionStorage::redis) {
    constexpr std::size_t id_bytes = 32;
    if (session.id.empty()) session.id = secret_hex(id_bytes);
    std::int64_t life = 0;  // until the first of its ends
    for (const auto limit : {config_.idling_timeout, config_.rolling_timeout, config_.absolute_timeout})
      if (limit > 0 && (life == 0 || limit < life)) life = limit;
    const std::string key = redis_key(session.id);
    RedisCommand command{"SET", key, bytes};
    if (life > 0) command.insert(command.end(), {"EX", std::to_string(life)});
    auto asking = redis.ask(key, std::move(command));
    auto reply = co_await asking;
    if (!reply) co_return std::unexpected(reply.error());
    bytes = seal(key_, context_, session.id);
  }
  std::string text;
  base64_encode(bytes, text, Base64::url);
  if (text.size() > piece_max * pieces_max)
    co_return fail(ErrorKind::limit, "the session has " + std::to_string(text.size()) +
                                         " bytes, more than cookies can hold: use session.storage redis");
  Fields fields;
  for (std::size_t at = 0; at < text.size(); at += piece_max)
    fields.push_back(cookie(x, fields.size(), std::string_view(text).substr(at, piece_max)));
  for (std::size_t piece = fields.size(); piece < pieces_of(x); ++piece)
    fields.push_back(cookie(x, piece, {}));
  co_return fields;
}

async::Task<std::vector<std::string>> SessionCookies::end(Exchange& x, Redis& redis, std::string id) const {
  if (!id.empty()) {
    const std::string key = redis_key(id);
    auto asking = redis.ask(key, {"DEL", key});
    const auto gone = co_await asking;
    if (!gone) log::warn("a session stays in Redis until it ends by itself: {}", gone.error().what);
  }
  std::vector<std::string> fields;
  for (std::size_t piece = 0; piece < std::max<std::size_t>(pieces_of(x), 1); ++piece)
    fields.push_back(cookie(x, piece, {}));
  co_return fields;
}

async::Task<Result<bool>> SessionCookies::claim(Redis& redis, std::string id, Duration life) const {
  const std::string key = redis_key(id) + ":claimed";
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(life).count();
  auto asking = redis.ask(key, {"SET", key, "1", "NX", "PX", std::to_string(milliseconds)});
  const auto reply = co_await asking;
  if (!reply) co_return std::unexpected(reply.error());
  co_return reply->kind == RedisValue::Kind::status;  // nil: it is there
}

async::Task<> SessionCookies::release(Redis& redis, std::string id) const {
  const std::string key = redis_key(id) + ":claimed";
  auto asking = redis.ask(key, {"DEL", key});
  const auto gone = co_await asking;
  if (!gone) log::info("a session stays claimed until that ends by itself: {}", gone.error().what);
}

// An empty value takes the cookie away.
std::string SessionCookies::cookie(Exchange& x, std::size_t piece, std::string_view value) const {
  std::string field = name_of(piece) + "=" + std::string(value) + "; Path=" + config_.cookie_path;
  if (!config_.cookie_domain.empty()) field += "; Domain=" + config_.cookie_domain;
  if (value.empty()) field += "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
  if (config_.cookie_secure.value_or(x.is_secure())) field += "; Secure";
  if (config_.cookie_http_only) field += "; HttpOnly";
  if (config_.cookie_same_site != SameSite::unsaid)
    field += "; SameSite=" +
             std::string(enum_names(SameSite{})[static_cast<std::size_t>(config_.cookie_same_site)]);
  return field;
}

void SessionCookies::hide(Exchange& x) const {
  for (std::size_t piece = pieces_of(x); piece-- > 0;) remove_cookie(x, name_of(piece));
}

}  // namespace sluice::plugin
