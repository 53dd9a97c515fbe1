// SPDX-License-Identifier: Apache-2.0
#include "plugin/openid_config.h"

#include "json/schema.h"
#include "plugin/jwt.h"
#include "plugin/outbound.h"

namespace sluice::plugin {

json::Names enum_names(UnauthAction) {
  static constexpr std::string_view names[]{"auth", "deny", "pass"};
  return names;
}

json::Names enum_names(ClientAuth) {
  static constexpr std::string_view names[]{"client_secret_basic", "client_secret_post", "private_key_jwt",
                                            "client_secret_jwt"};
  return names;
}

void OpenidConfig::Pushed::describe(json::Fields& field) {
  field("enabled", enabled, "Sends the parameters of a login ahead (RFC 9126).");
  field("endpoint", endpoint, "Where to; as the provider says.");
  field("endpoint_auth_method", endpoint_auth_method, "How the client authenticates there; as for tokens.");
}

void OpenidConfig::Audience::describe(json::Fields& field) {
  field("claim", claim, "The claim that holds the audience.");
  field("required", required, "A token without it is refused.");
  field("match_with_client_id", match_with_client_id, "It has to be, or to hold, client_id.");
  field.open();
}

void OpenidConfig::Issuer::describe(json::Fields& field) {
  field("valid_issuers", valid_issuers, "Issuers whose tokens are taken; the provider's own.");
  field.open();
}

void OpenidConfig::Claims::describe(json::Fields& field) {
  field("issuer", issuer, "Who may have issued a token of a request.");
  field("audience", audience, "For whom it may be.");
  field.open();
}

Duration OpenidConfig::patience() const {
  // APISIX 2 kept milliseconds in the same member.
  return timeout >= 1000 && timeout % 1000 == 0 ? Duration(std::chrono::milliseconds(timeout))
                                                : Duration(std::chrono::seconds(timeout));
}

void OpenidConfig::describe_provider(json::Fields& field) {
  field("client_id", client_id, "The client's id at the provider.").required();
  field("client_secret", client_secret, "The client's secret.").secret();
  field("discovery", discovery, "URL of the provider's discovery document.").required();
  field("scope", scope, "Scopes to ask for, with spaces between.");
  field("realm", realm, "The realm that WWW-Authenticate tells.");
  field("ssl_verify", ssl_verify, "Verifies the provider's certificate.");
  field("timeout", timeout, "Seconds for each question to the provider.").range(1, 600'000);
  field.refused("proxy_opts", "the provider cannot be asked through a proxy");
}

void OpenidConfig::describe_tokens(json::Fields& field) {
  field("bearer_only", bearer_only, "Requests have to bring a token; nobody is sent to log in.");
  field("public_key", public_key, "A public key in PEM that verifies tokens of requests.");
  field("use_jwks", use_jwks, "The keys that the provider publishes verify them.");
  field("token_signing_alg_values_expected", token_signing_alg_values_expected,
        "The only algorithm that tokens may be signed with.");
  field("jwk_expires_in", jwk_expires_in, "Seconds for which the provider's keys are kept.").at_least(1);
  field("jwt_verification_cache_ignore", jwt_verification_cache_ignore, "Verifies every token every time.");
  field("cache_segment", cache_segment, "Without effect: each configuration has a cache of its own.");
  field("introspection_endpoint", introspection_endpoint, "The provider is asked about each token here.");
  field("introspection_endpoint_auth_method", introspection_endpoint_auth_method,
        "How the client authenticates there.");
  field("introspection_interval", introspection_interval,
        "Seconds for which an answer holds at most; 0: as long as the token.")
      .at_least(0);
  field("introspection_expiry_claim", introspection_expiry_claim,
        "The member of the answer that says how many seconds it holds; exp, which is a time.");
  field("introspection_addon_headers", introspection_addon_headers,
        "Fields of the request that are sent along.")
      .min_items(1)
      .items()
      .pattern("^[^:]+$");
  field("required_scopes", required_scopes, "Scopes a token must have; 403 otherwise.");
  field("claim_validator", claim_validator, "Checks of claims.");
  field("claim_schema", claim_schema,
        "A JSON Schema for the claims: of a token, or of {user, access_token, id_token} after a login.")
      .must_be(json::Kind::object);
}

void OpenidConfig::describe_flow(json::Fields& field) {
  field("session", session, "How the login is remembered; required without bearer_only.");
  field("redirect_uri", redirect_uri,
        "Where the provider sends the browser back to; the path asked for with /.apisix/redirect behind.");
  field("unauth_action", unauth_action, "Who is not logged in is sent to log in, refused, or let through.");
  field("token_endpoint_auth_method", token_endpoint_auth_method, "How the client authenticates for tokens.");
  field("use_pkce", use_pkce, "Proves that who began a login ends it (RFC 7636, S256).");
  field("use_nonce", use_nonce, "Ties the ID token to the login.");
  field("force_reauthorize", force_reauthorize, "A login serves one request.");
  field("authorization_params", authorization_params, "Further parameters of a login.");
  field("par", par, "Pushed authorization requests.");
  field("renew_access_token_on_expiry", renew_access_token_on_expiry,
        "Fetches a new access token when it expires; without a refresh token the user logs in again.");
  field("access_token_expires_in", access_token_expires_in,
        "Seconds an access token lives, when the provider does not say.")
      .at_least(0);
  field("access_token_expires_leeway", access_token_expires_leeway, "Seconds by which it is renewed earlier.")
      .at_least(0);
  field("refresh_session_interval", refresh_session_interval,
        "Seconds after which the provider is asked again who it is, without a page; 0: never.")
      .at_least(0);
  field("accept_none_alg", accept_none_alg, "Takes ID tokens that are not signed.");
  field("accept_unsupported_alg", accept_unsupported_alg,
        "Takes ID tokens signed in a way that is not known here: they come from the provider itself.");
  field("iat_slack", iat_slack, "Seconds the provider's clock may be ahead.").at_least(0);
  field("logout_path", logout_path, "Asking for this path ends the session.");
  field("post_logout_redirect_uri", post_logout_redirect_uri, "Where the browser goes behind a logout.");
  field("revoke_tokens_on_logout", revoke_tokens_on_logout, "Tells the provider that tokens are not needed.");
}

void OpenidConfig::describe_assertions(json::Fields& field) {
  field("client_rsa_private_key", client_rsa_private_key,
        "The client's private key in PEM, for private_key_jwt.")
      .secret();
  field("client_rsa_private_key_id", client_rsa_private_key_id, "Its name at the provider.");
  field("client_jwt_assertion_alg", client_jwt_assertion_alg,
        "How assertions are signed; RS256, and HS256 for client_secret_jwt.")
      .one_of({"HS256", "HS512", "RS256", "RS512", "ES256", "ES512"});
  field("client_jwt_assertion_audience", client_jwt_assertion_audience, "Whom they are for; the endpoint.");
  field("client_jwt_assertion_expires_in", client_jwt_assertion_expires_in, "Seconds they hold.").at_least(1);
  field.refused("dpop", "tokens are not bound to a key of the gateway's (DPoP)");
}

void OpenidConfig::describe_headers(json::Fields& field) {
  field("set_access_token_header", set_access_token_header, "The upstream gets the access token.");
  field("access_token_in_authorization_header", access_token_in_authorization_header,
        "In Authorization, instead of X-Access-Token.");
  field("set_id_token_header", set_id_token_header, "X-ID-Token: the ID token's claims, base64.");
  field("set_raw_id_token_header", set_raw_id_token_header, "X-Raw-ID-Token: the ID token.");
  field("set_userinfo_header", set_userinfo_header,
        "X-Userinfo: what the provider tells of the user, base64.");
  field("set_refresh_token_header", set_refresh_token_header, "X-Refresh-Token: the refresh token.");
}

void OpenidConfig::describe(json::Fields& field) {
  describe_provider(field);
  describe_tokens(field);
  describe_flow(field);
  describe_assertions(field);
  describe_headers(field);
  field.open();
  if (field.reading() && !field.failed()) check(field);
}

void OpenidConfig::check(json::Fields& field) const {
  field.check_plainly(bearer_only || session.has_value(), "session",
                      "is missing: {\"secret\": …} seals logins",
                      "property \"session.secret\" is required when \"bearer_only\" is false");
  const bool without_secret =
      bearer_only ? verifies_here() || introspection_endpoint_auth_method == ClientAuth::key_jwt
                  : token_endpoint_auth_method == ClientAuth::key_jwt || use_pkce;
  field.check_plainly(without_secret || !client_secret.empty(), "client_secret", "is missing",
                      "property \"client_secret\" is required");
  const bool asks_with_key = token_endpoint_auth_method == ClientAuth::key_jwt ||
                             introspection_endpoint_auth_method == ClientAuth::key_jwt ||
                             par.endpoint_auth_method == ClientAuth::key_jwt;
  field.check(!asks_with_key || !client_rsa_private_key.empty(), "client_rsa_private_key",
              "is missing: private_key_jwt signs with it");
  const bool asks_with_secret = token_endpoint_auth_method == ClientAuth::secret_jwt ||
                                introspection_endpoint_auth_method == ClientAuth::secret_jwt ||
                                par.endpoint_auth_method == ClientAuth::secret_jwt;
  const bool symmetric = client_jwt_assertion_alg.starts_with("HS");
  field.check(client_jwt_assertion_alg.empty() || !(symmetric ? asks_with_key : asks_with_secret),
              "client_jwt_assertion_alg",
              symmetric ? "is for secrets, and private_key_jwt has a key"
                        : "is for keys, and client_secret_jwt has a secret");
  if (!public_key.empty()) {
    const auto key = PublicKey::from_pem(public_key);
    field.check(key.has_value(), "public_key", "is no public key in PEM");
  }
  if (claim_schema.is_object()) {
    const auto compiled = json::Schema::compile(claim_schema);
    field.check_plainly(compiled.has_value(), "claim_schema", compiled ? "" : compiled.error().what,
                        "check claim_schema failed: " + (compiled ? std::string() : compiled.error().what));
  }
}

}  // namespace sluice::plugin
