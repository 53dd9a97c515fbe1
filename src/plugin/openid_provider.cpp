// SPDX-License-Identifier: Apache-2.0
#include "plugin/openid_provider.h"

#include <algorithm>

#include "base/bounded.h"
#include "base/log.h"
#include "base/private_key.h"
#include "base/random.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::plugin {
namespace {

constexpr Duration discovery_life = std::chrono::hours(1);
constexpr Duration pause_when_away = std::chrono::seconds(1);   // a provider is not asked for every request
constexpr Duration pause_for_keys = std::chrono::seconds(10);   // nor for every key that a token makes up
constexpr std::int64_t held_seconds_max = 3600;                 // of a token that was verified
constexpr std::size_t token_max = Jwt::bytes_max;

using Claims = Result<json::Value>;

std::unexpected<Error> refused(std::string why) {
  return fail(ErrorKind::protocol, std::move(why), Fault::client);
}

// What the provider says went wrong (RFC 6749 §5.2), bounded.
std::string told(const OutboundReply& reply) {
  constexpr std::size_t shown_max = 200;
  const auto body = json::parse(reply.body);
  std::string text = "status " + std::to_string(reply.status);
  if (!body || !body->is_object()) return text;
  for (const char* name : {"error", "error_description"})
    if (const auto part = body->text(name); !part.empty())
      text += ", " + std::string(part.substr(0, shown_max));
  return text;
}

Claims json_of(const Result<OutboundReply>& reply, const std::string& url) {
  if (!reply) return std::unexpected(reply.error());
  if (reply->status != 200) return fail(ErrorKind::refused, url + ": " + told(*reply), Fault::peer);
  auto body = json::parse(reply->body);
  if (!body || !body->is_object())
    return fail(ErrorKind::protocol, "JSON decoding failed: " + url + " answers no JSON object", Fault::peer);
  return body;
}

bool holds(const json::Value* claim, std::string_view text) {
  if (claim == nullptr) return false;
  if (claim->is_string()) return claim->as_string() == text;
  return claim->is_array() && std::ranges::any_of(claim->as_array(), [text](const json::Value& item) {
           return item.is_string() && item.as_string() == text;
         });
}

bool is_known(std::string_view algorithm) {
  return std::ranges::find(JwtKey::algorithms(), algorithm) != JwtKey::algorithms().end();
}

PublicKey::Scheme scheme_of(std::string_view algorithm) {
  if (algorithm.starts_with("ES")) return PublicKey::Scheme::ecdsa;
  return algorithm.starts_with("PS") ? PublicKey::Scheme::rsa_pss : PublicKey::Scheme::rsa_pkcs1;
}

Digest digest_of_name(std::string_view algorithm) {
  if (algorithm.ends_with("384")) return Digest::sha384;
  return algorithm.ends_with("512") ? Digest::sha512 : Digest::sha256;
}

std::shared_ptr<const OpenidDiscovery> read_discovery(const json::Value& document) {
  auto found = std::make_shared<OpenidDiscovery>();
  for (const auto& [name, into] :
       {std::pair{"issuer", &found->issuer},
        {"authorization_endpoint", &found->authorization_endpoint},
        {"token_endpoint", &found->token_endpoint},
        {"userinfo_endpoint", &found->userinfo_endpoint},
        {"jwks_uri", &found->jwks_uri},
        {"introspection_endpoint", &found->introspection_endpoint},
        {"end_session_endpoint", &found->end_session_endpoint},
        {"revocation_endpoint", &found->revocation_endpoint},
        {"pushed_authorization_request_endpoint", &found->pushed_endpoint}})
    *into = document.text(name);
  return found;
}

}  // namespace

void OpenidProvider::set_up(const OpenidConfig& config, OpenidPublished& published,
                            OpenidRenewals& renewals) {
  config_ = &config;
  published_ = &published;
  renewals_ = &renewals;
  if (!config.public_key.empty())
    if (auto key = PublicKey::from_pem(config.public_key)) public_key_ = std::move(*key);
  if (config.session && config.session->redis) redis_.set_up(config.session->redis->config());
}

async::Task<Claims> OpenidProvider::get(std::string url, std::string access_token) {
  Outbound request;
  request.url = url;
  request.timeout = config_->patience();
  request.verify = config_->ssl_verify;
  request.headers.emplace_back("Accept", "application/json");
  if (!access_token.empty()) request.headers.emplace_back("Authorization", "Bearer " + access_token);
  auto asking = worker_.ask(std::move(request));
  auto reply = co_await asking;
  co_return json_of(reply, url);
}

async::Task<Result<OpenidProvider::Known>> OpenidProvider::discovery() {
  const Instant time = worker_.loop.now();
  if (!known_.is_fresh(time)) published_->discovery.refresh(known_);
  if (known_.is_fresh(time)) co_return known_.what;
  if (time < away_until_) {
    if (known_.what != nullptr) co_return known_.what;
    co_return fail(ErrorKind::refused, away_, Fault::peer);
  }
  auto asking = get(config_->discovery, "");
  auto document = co_await asking;
  if (document && document->text("issuer").empty())
    document = fail(ErrorKind::protocol, config_->discovery + " names no issuer", Fault::peer);
  if (!document) {
    away_until_ = worker_.loop.now() + pause_when_away;
    away_ = document.error().what;
    log::error("openid-connect: accessing discovery url failed: {}", away_);
    if (known_.what != nullptr) co_return known_.what;  // it was well before
    co_return std::unexpected(document.error());
  }
  known_ = {read_discovery(*document), worker_.loop.now() + discovery_life};
  published_->discovery.put(known_);
  co_return known_.what;
}

async::Task<Result<std::shared_ptr<const JwkSet>>> OpenidProvider::keys(std::string key_id) {
  const Instant time = worker_.loop.now();
  const auto serve = [&] { return keys_.is_fresh(time) && keys_.what->knows(key_id); };
  if (!serve()) published_->keys.refresh(keys_);
  if (serve()) co_return keys_.what;
  if (time < keys_again_) {
    if (keys_.what != nullptr) co_return keys_.what;
    co_return fail(ErrorKind::refused, "the provider's keys could not be fetched a moment ago", Fault::peer);
  }
  auto discovering = discovery();
  const auto known = co_await discovering;
  if (!known) co_return std::unexpected(known.error());
  keys_again_ = worker_.loop.now() + pause_for_keys;
  auto asking = get((*known)->jwks_uri, "");
  auto document = co_await asking;
  if (!document) {
    keys_again_ = worker_.loop.now() + pause_when_away;
    log::error("openid-connect: the provider's keys: {}", document.error().what);
    if (keys_.what != nullptr) co_return keys_.what;
    co_return std::unexpected(document.error());
  }
  auto set = JwkSet::parse(*document);
  if (!set) co_return std::unexpected(set.error());
  keys_ = {std::make_shared<const JwkSet>(std::move(*set)),
           worker_.loop.now() + bounded_seconds(config_->jwk_expires_in)};
  published_->keys.put(keys_);
  co_return keys_.what;
}

async::Task<Result<bool>> OpenidProvider::is_signed(const Jwt& token) {
  const std::string_view algorithm = token.header.text("alg");
  if (public_key_) {
    if (!is_known(algorithm) || JwtKey::is_symmetric(algorithm)) co_return false;
    const auto key = JwtKey::make(algorithm, public_key_);
    co_return key && key->verifies(token);
  }
  const std::string id(token.header.text("kid"));
  auto asking = keys(id);
  const auto set = co_await asking;
  if (!set) co_return std::unexpected(set.error());
  co_return (*set)->verifies(token);
}

async::Task<Claims> OpenidProvider::verify(std::string token) {
  if (const auto* held = held_.find(token); held != nullptr && held->until > now()) co_return held->claims;
  const auto parsed = parse_jwt(token);
  if (!parsed) co_return refused("invalid jwt: " + parsed.error().what);
  const std::string& expected = config_->token_signing_alg_values_expected;
  if (!expected.empty() && parsed->header.text("alg") != expected)
    co_return refused("token is signed by unexpected algorithm \"" + std::string(parsed->header.text("alg")) +
                      "\"");
  auto checking = is_signed(*parsed);
  const auto good = co_await checking;
  if (!good) co_return std::unexpected(good.error());
  if (!*good) co_return refused("jwt signature verification failed");
  JwtTimes times;
  if (!JwtTimes::read(parsed->payload, times) || !times.hold(static_cast<double>(now()), 0))
    co_return refused("jwt is expired or not yet valid");
  const auto& issuers = config_->claim_validator.issuer.valid_issuers;
  const std::string_view issuer = parsed->payload.text("iss");
  if (issuers.empty()) {
    auto discovering = discovery();
    const auto known = co_await discovering;
    if (!known) co_return refused("issuer validation unavailable");
    if (issuer != (*known)->issuer) co_return refused("jwt has another issuer");
  } else if (std::ranges::find(issuers, issuer) == issuers.end()) {
    co_return refused("jwt has another issuer");
  }
  if (!config_->jwt_verification_cache_ignore) {
    std::int64_t until = now() + held_seconds_max;
    if (times.expires) until = std::min(until, static_cast<std::int64_t>(std::min(*times.expires, 1e15)));
    held_.put(token, {parsed->payload, until});
  }
  co_return parsed->payload;
}

async::Task<Claims> OpenidProvider::introspect(std::string token, OutboundFields fields) {
  if (token.size() > token_max) co_return refused("invalid token");
  if (const auto* held = held_.find(token); held != nullptr && held->until > now()) co_return held->claims;
  std::string url = config_->introspection_endpoint;
  if (url.empty()) {
    auto discovering = discovery();
    const auto known = co_await discovering;
    if (!known) co_return std::unexpected(known.error());
    url = (*known)->introspection_endpoint;
    if (url.empty())
      co_return fail(ErrorKind::protocol, "the provider has no introspection endpoint", Fault::peer);
  }
  OutboundFields arguments{{"token", token}};
  Outbound request;
  request.headers = std::move(fields);
  request.method = "POST";
  request.url = url;
  request.timeout = config_->patience();
  request.verify = config_->ssl_verify;
  if (auto good = authenticate(request, arguments, config_->introspection_endpoint_auth_method); !good)
    co_return std::unexpected(good.error());
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = form_of(arguments);
  auto asking = worker_.ask(std::move(request));
  const auto reply = co_await asking;
  auto answer = json_of(reply, url);
  if (!answer) co_return answer;
  const auto* active = answer->find("active");
  if (active == nullptr || !active->is_bool() || !active->as_bool()) co_return refused("invalid token");
  const std::string claim =
      config_->introspection_expiry_claim.empty() ? "exp" : config_->introspection_expiry_claim;
  const auto* expiry = answer->find(claim);
  if (expiry != nullptr && expiry->is_number()) {
    const std::int64_t at = bounded_whole(expiry->as_double());
    std::int64_t seconds = claim == "exp" ? at - now() : at;
    if (config_->introspection_interval > 0) seconds = std::min(seconds, config_->introspection_interval);
    if (seconds > 0) held_.put(token, {*answer, now() + seconds});
  }
  co_return answer;
}

Result<std::string> OpenidProvider::assertion(std::string_view audience, ClientAuth method) const {
  std::string algorithm = config_->client_jwt_assertion_alg;
  if (algorithm.empty()) algorithm = method == ClientAuth::key_jwt ? "RS256" : "HS256";
  json::Value header = json::Value::object({{"alg", algorithm}, {"typ", "JWT"}});
  if (!config_->client_rsa_private_key_id.empty()) header.set("kid", config_->client_rsa_private_key_id);
  const std::string& other = config_->client_jwt_assertion_audience;
  constexpr std::size_t id_bytes = 16;
  const json::Value payload =
      json::Value::object({{"iss", config_->client_id},
                           {"sub", config_->client_id},
                           {"aud", other.empty() ? std::string(audience) : other},
                           {"jti", secret_hex(id_bytes)},
                           {"iat", now()},
                           {"exp", now() + bounded_whole(config_->client_jwt_assertion_expires_in)}});
  std::string text;
  base64_encode(json::dump(header), text, Base64::url);
  text += '.';
  base64_encode(json::dump(payload), text, Base64::url);
  const auto signature =
      JwtKey::is_symmetric(algorithm)
          ? Result<std::string>(hmac_of(digest_of_name(algorithm), config_->client_secret, text))
          : sign_with(config_->client_rsa_private_key, scheme_of(algorithm), digest_of_name(algorithm), text);
  if (!signature) return signature;
  text += '.';
  base64_encode(*signature, text, Base64::url);
  return text;
}

Result<> OpenidProvider::authenticate(Outbound& request, OutboundFields& arguments, ClientAuth method) const {
  if (method != ClientAuth::secret_basic || config_->client_secret.empty())
    if (find_field(arguments, "client_id") == nullptr)
      arguments.emplace_back("client_id", config_->client_id);
  const bool by_secret = method == ClientAuth::secret_basic || method == ClientAuth::secret_post;
  if (by_secret && config_->client_secret.empty()) return {};  // a public client
  if (method == ClientAuth::secret_basic) {  // both are encoded first (RFC 6749 §2.3.1)
    std::string pair, coded;
    percent_encode(config_->client_id, pair);
    pair += ':';
    percent_encode(config_->client_secret, pair);
    base64_encode(pair, coded);
    request.headers.emplace_back("Authorization", "Basic " + coded);
  } else if (method == ClientAuth::secret_post) {
    arguments.emplace_back("client_secret", config_->client_secret);
  } else {
    auto made = assertion(request.url, method);
    if (!made) return std::unexpected(made.error());
    arguments.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    arguments.emplace_back("client_assertion", std::move(*made));
  }
  return {};
}

async::Task<Result<OutboundReply>> OpenidProvider::ask_by_post(std::string url, OutboundFields arguments,
                                                                ClientAuth method) {
  Outbound request;
  request.method = "POST";
  request.url = url;
  request.timeout = config_->patience();
  request.verify = config_->ssl_verify;
  if (auto good = authenticate(request, arguments, method); !good) co_return std::unexpected(good.error());
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.headers.emplace_back("Accept", "application/json");
  request.body = form_of(arguments);
  auto asking = worker_.ask(std::move(request));
  auto reply = co_await asking;
  co_return reply;
}

async::Task<Claims> OpenidProvider::post(std::string url, OutboundFields arguments, ClientAuth method) {
  auto asking = ask_by_post(url, std::move(arguments), method);
  auto reply = co_await asking;
  if (reply && reply->status == 201) reply->status = 200;  // of a pushed request
  co_return json_of(reply, url);
}

async::Task<OpenidRenewals::Outcome> OpenidProvider::fresh_tokens(std::string refresh_token) {
  using Outcome = OpenidRenewals::Outcome;
  auto discovering = discovery();
  const auto found = co_await discovering;
  if (!found) co_return Outcome{Renewal::away, {}};
  OutboundFields arguments{{"grant_type", "refresh_token"},
                           {"refresh_token", std::move(refresh_token)},
                           {"scope", config_->scope}};
  const std::string url = (*found)->token_endpoint;
  auto asking = ask_by_post(url, std::move(arguments), config_->token_endpoint_auth_method);
  const auto reply = co_await asking;
  const bool refused = reply && reply->status >= 400 && reply->status < 500 && reply->status != 429;
  auto tokens = json_of(reply, url);
  if (!tokens || tokens->text("access_token").empty()) {
    log::warn("openid-connect: the access token cannot be renewed: {}",
              tokens ? "the provider sends none" : tokens.error().what);
    co_return Outcome{refused || tokens ? Renewal::refused : Renewal::away, {}};
  }
  if (const std::string id(tokens->text("id_token")); !id.empty()) {
    auto checking = check_id_token(id, "");
    const auto claims = co_await checking;
    if (!claims) {
      log::error("openid-connect: the access token cannot be renewed: {}", claims.error().what);
      co_return Outcome{Renewal::refused, {}};
    }
  }
  co_return Outcome{Renewal::fresh, std::move(*tokens)};
}

async::Task<> OpenidProvider::renew_alone(std::string refresh_token, CacheTurns::Ticket ticket) {
  auto asking = fresh_tokens(refresh_token);
  auto outcome = co_await asking;
  renewals_->put(refresh_token, std::move(outcome), worker_.loop.now());
  ticket.settle(CacheTurns::Outcome::stored);
}

async::Task<OpenidRenewals::Outcome> OpenidProvider::renew(std::string refresh_token) {
  constexpr int turns_max = 3;  // of others, whose worker ended meanwhile
  const Instant deadline = worker_.loop.now() + turns_max * config_->patience();
  for (int turn = 0; turn < turns_max; ++turn) {
    if (auto known = renewals_->find(refresh_token, worker_.loop.now())) co_return std::move(*known);
    CacheTurns::Ticket ticket;
    if (renewals_->turns().take(refresh_token, ticket)) {
      auto known = renewals_->find(refresh_token, worker_.loop.now());  // between the look and the turn
      if (known) co_return std::move(*known);
      std::erase_if(renewing_, [](const auto& child) { return child->ended(); });
      renewing_.push_back(std::make_unique<async::Child>());
      renewing_.back()->start(renew_alone(refresh_token, std::move(ticket)));
    }
    auto waiting = renewals_->turns().wait(worker_.loop, refresh_token, deadline);
    const auto told = co_await waiting;
    if (!told) break;
  }
  if (auto known = renewals_->find(refresh_token, worker_.loop.now())) co_return std::move(*known);
  co_return OpenidRenewals::Outcome();
}

async::Task<Claims> OpenidProvider::userinfo(std::string access_token) {
  auto asking = get(known_.what->userinfo_endpoint, std::move(access_token));
  auto answer = co_await asking;
  co_return answer;
}

async::Task<Claims> OpenidProvider::check_id_token(std::string token, std::string nonce) {
  const auto parsed = parse_jwt(token);
  if (!parsed) co_return fail(ErrorKind::protocol, "the ID token: " + parsed.error().what, Fault::peer);
  const std::string_view algorithm = parsed->header.text("alg");
  bool good = false;
  if (algorithm == "none") {
    good = config_->accept_none_alg && parsed->signature.empty();
  } else if (!is_known(algorithm)) {
    good = config_->accept_unsupported_alg;
  } else if (JwtKey::is_symmetric(algorithm)) {  // with the client's own secret, never with a published key
    const auto key = JwtKey::make(algorithm, config_->client_secret);
    good = !config_->client_secret.empty() && key && key->verifies(*parsed);
  } else {
    const std::string id(parsed->header.text("kid"));
    auto asking = keys(id);
    const auto set = co_await asking;
    if (!set) co_return std::unexpected(set.error());
    good = (*set)->verifies(*parsed);
  }
  const auto& claims = parsed->payload;
  JwtTimes times;
  const double time = static_cast<double>(now()), slack = static_cast<double>(config_->iat_slack);
  const auto* issued = claims.find("iat");
  std::string wrong;
  if (!good) wrong = "its signature by " + std::string(algorithm) + " does not hold";
  else if (claims.text("iss") != known_.what->issuer) wrong = "it has another issuer";
  else if (claims.text("sub").empty()) wrong = "it names nobody (sub)";
  else if (!holds(claims.find("aud"), config_->client_id)) wrong = "it is for another client";
  else if (claims.find("azp") != nullptr && claims.text("azp") != config_->client_id)
    wrong = "another client was authorized (azp)";
  else if (!JwtTimes::read(claims, times) || !times.expires || !times.hold(time, 0)) wrong = "it is over";
  else if (issued == nullptr || !issued->is_number() || issued->as_double() > time + slack)
    wrong = "it was issued in the future (iat)";
  else if (!nonce.empty() && claims.text("nonce") != nonce) wrong = "it belongs to another login (nonce)";
  if (!wrong.empty()) co_return fail(ErrorKind::protocol, "the ID token: " + wrong, Fault::peer);
  co_return claims;
}

}  // namespace sluice::plugin
