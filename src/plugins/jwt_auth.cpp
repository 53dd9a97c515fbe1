// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/aging_cache.h"
#include "base/text.h"
#include "json/text.h"
#include "model/secret_reference.h"
#include "plugin/authentication.h"
#include "plugin/cookie.h"
#include "plugin/jwt.h"
#include "plugin/query.h"
#include "plugin/variable.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using plugin::Identity;
using plugin::Jwt;
using plugin::JwtKey;
using plugin::JwtTimes;

// What a token that was verified said.
struct Verified {
  std::string user;               // the claim that names the consumer's key
  std::uint64_t fingerprint = 0;  // of the key that verified it
  JwtTimes times;
  std::string payload;            // JSON; empty unless it is kept for others
};

// Tokens verified on this worker, so that one that comes again costs no signature.
struct VerifiedTokens final : plugin::Local {
  static constexpr std::size_t tokens_max = 2048;
  explicit VerifiedTokens(plugin::Worker&) {}
  AgingCache<Verified> tokens{tokens_max};
};

}  // namespace

// Knows a consumer by a JSON Web Token (RFC 7519) in a header, the query or a cookie.
class JwtAuth final : public plugin::Plugin {
 public:
  struct Config {
    std::string header = "authorization", query = "jwt", cookie = "jwt", key_claim_name = "key";
    bool store_in_ctx = false;
    std::vector<std::string> claims_to_verify;
    plugin::AuthConfig auth{"jwt"};

    void describe(json::Fields& field) {
      field("header", header,
            "The header that carries the token, with or without \"Bearer \"; it is looked at first.");
      field("query", query, "The query argument that carries the token; it is looked at next.");
      field("cookie", cookie, "The cookie that carries the token.");
      field("key_claim_name", key_claim_name, "The claim that names the consumer's key.").length(1, 256);
      field("store_in_ctx", store_in_ctx,
            "Keeps the payload for other plugins: the variable jwt_auth_payload.");
      field(
          "claims_to_verify", claims_to_verify,
          "Claims that have to be there and hold; when absent exp and nbf are verified where they are there.")
          .unique()
          .items()
          .one_of({"exp", "nbf"});
      auth.describe(field);
      field.open();
    }
  };

  struct Consumer {
    std::string key, secret, algorithm = "HS256", public_key;
    bool base64_secret = false;
    std::int64_t exp = 86400, lifetime_grace_period = 0;
    JwtKey verifier;  // made when it is read

    void describe(json::Fields& field) {
      field("key", key, "What the token's claim names the consumer by; no two consumers share one.")
          .required().length(1, 4096);
      field("secret", secret, "What is shared with whoever signs, for HS algorithms.")
          .length(1, 65536)
          .secret();
      field("algorithm", algorithm, "How tokens are signed; a token that says otherwise is refused.")
          .one_of({"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256",
                   "PS384", "PS512", "EdDSA"});
      field("public_key", public_key, "The public key or certificate in PEM, for all but HS algorithms.")
          .length(1, 65536);
      field("base64_secret", base64_secret, "secret is written in Base64.");
      field("exp", exp, "Seconds that tokens signed by APISIX before 3.11 lived; nothing is signed here.")
          .at_least(1);
      field("lifetime_grace_period", lifetime_grace_period,
            "Seconds by which the clocks of whoever signs and of this gateway may differ.")
          .at_least(0);
      field.dropped("private_key", "nothing is signed here: APISIX took its signing endpoint away in 3.11");
      field.open();
      if (field.reading() && !field.failed()) make_verifier(field);
    }
    std::string credential() const { return key; }

   private:
    void make_verifier(json::Fields& field) {
      const bool symmetric = JwtKey::is_symmetric(algorithm);
      const std::string& written = symmetric ? secret : public_key;
      const std::string_view name = symmetric ? "secret" : "public_key";
      field.check_plainly(!written.empty(), name, "is missing: " + algorithm + " needs it",
                          symmetric ? "property \"secret\" is required when using HS based algorithms"
                                    : "failed to validate dependent schema for \"algorithm\": value should "
                                      "match only one schema, but matches none");
      if (written.empty() || model::is_secret_reference(written)) return;
      std::string plain;
      const bool decoded = !symmetric || !base64_secret || base64_decode(written, plain);
      field.check_plainly(decoded, name, "is not Base64",
                          "base64_secret required but the secret is not in base64 format");
      if (!decoded) return;
      auto made = JwtKey::make(algorithm, symmetric && base64_secret ? plain : written);
      if (made) verifier = std::move(*made);
      else
        field.check_plainly(false, name, made.error().what, "missing valid public key: " + made.error().what);
    }
  };

  explicit JwtAuth(const Config& config)
      : header_(config.header),
        query_(config.query),
        cookie_(config.cookie),
        claim_(config.key_claim_name),
        argument_(plugin::find_variable("arg_" + config.query)),
        cookie_value_(plugin::find_variable("cookie_" + config.cookie)),
        store_(config.store_in_ctx),
        needs_exp_(std::ranges::find(config.claims_to_verify, "exp") != config.claims_to_verify.end()),
        needs_nbf_(std::ranges::find(config.claims_to_verify, "nbf") != config.claims_to_verify.end()),
        auth_("jwt-auth", "Bearer", config.auth) {}

  plugin::VerdictTask rewrite(Exchange& x) const override {
    const auto token = take_token(x);
    const Identity identity = token ? find(x, *token) : Identity{nullptr, "Missing JWT token in request"};
    return auth_.conclude(x, identity);
  }

 private:
  // The token; what carried it is hidden when the config says so.
  std::optional<std::string_view> take_token(Exchange& x) const {
    if (const auto* field = x.request.headers.find(header_)) {
      const std::string_view value = field->value;
      if (auth_.hides_credentials()) x.request.headers.remove(header_);
      return starts_with_ignoring_case(value, "bearer ") ? trim(value.substr(7)) : value;
    }
    if (const auto value = argument_.read(x)) {
      if (auth_.hides_credentials()) plugin::remove_query_argument(x, query_);
      return value;
    }
    const auto value = cookie_value_.read(x);
    if (value && auth_.hides_credentials()) plugin::remove_cookie(x, cookie_);
    return value;
  }

  Identity find(Exchange& x, std::string_view token) const {
    auto& cache = x.local<VerifiedTokens>(*this).tokens;
    if (const Verified* known = token.size() > Jwt::bytes_max ? nullptr : cache.find(token)) {
      const auto* consumer = x.find_consumer<JwtAuth>(known->user);
      const auto* own = consumer == nullptr ? nullptr : Exchange::consumer_config<JwtAuth>(*consumer);
      if (own != nullptr && own->verifier.fingerprint() == known->fingerprint)
        return admit(x, *consumer, *own, *known);
      cache.erase(token);
    }
    const auto jwt = plugin::parse_jwt(token);
    if (!jwt) return {nullptr, "JWT token invalid"};
    const json::Value* user = jwt->payload.find(claim_);
    if (user == nullptr || !user->is_string()) return {nullptr, "missing user key in JWT token"};
    const auto* consumer = x.find_consumer<JwtAuth>(user->as_string());
    if (consumer == nullptr) return {nullptr, "Invalid user key in JWT token"};
    const auto* own = Exchange::consumer_config<JwtAuth>(*consumer);
    Verified verified{user->as_string(), 0, {}, store_ ? json::dump(jwt->payload) : std::string()};
    if (own == nullptr || !own->verifier.verifies(*jwt) || !JwtTimes::read(jwt->payload, verified.times) ||
        (needs_exp_ && !verified.times.expires) || (needs_nbf_ && !verified.times.not_before))
      return {nullptr, "failed to verify jwt"};
    verified.fingerprint = own->verifier.fingerprint();
    return admit(x, *consumer, *own, cache.put(token, std::move(verified)));
  }

  Identity admit(Exchange& x, const plugin::Consumer& consumer, const Consumer& own,
                 const Verified& token) const {
    const double now = static_cast<double>(x.worker.loop.wall() / 1'000'000'000);
    if (!token.times.hold(now, static_cast<double>(own.lifetime_grace_period)))
      return {nullptr, "failed to verify jwt"};
    if (store_) x.jwt_payload = x.arena.copy(token.payload);
    return {&consumer, {}};
  }

  std::string header_, query_, cookie_, claim_;
  plugin::Variable argument_, cookie_value_;
  bool store_, needs_exp_, needs_nbf_;
  plugin::Authentication auth_;
};

extern constexpr plugin::PluginType jwt_auth = plugin::plugin<JwtAuth>({
    .name = "jwt-auth",
    .summary = "Knows a consumer by a JSON Web Token in a header, the query or a cookie.",
    .priority = 2510,
    .example = R"({"header": "authorization", "claims_to_verify": ["exp"]})",
    .authenticates = true,
});

}  // namespace sluice::plugins
