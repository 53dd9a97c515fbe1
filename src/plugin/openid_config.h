// SPDX-License-Identifier: Apache-2.0
// The configuration of plugin openid-connect: how tokens of requests are judged, how browsers log in, what
// the upstream is told; and what is checked of it when it is written. Plain values, any thread.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/session_cookie.h"

namespace sluice::plugin {

enum class UnauthAction : std::uint8_t { auth, deny, pass };
json::Names enum_names(UnauthAction);
enum class ClientAuth : std::uint8_t { secret_basic, secret_post, key_jwt, secret_jwt };
json::Names enum_names(ClientAuth);

struct OpenidConfig {
  struct Pushed {
    bool enabled = false;
    std::string endpoint;
    std::optional<ClientAuth> endpoint_auth_method;
    void describe(json::Fields& field);
  };
  struct Audience {
    std::string claim = "aud";
    bool required = false, match_with_client_id = false;
    void describe(json::Fields& field);
  };
  struct Issuer {
    std::vector<std::string> valid_issuers;
    void describe(json::Fields& field);
  };
  struct Claims {
    Audience audience;
    Issuer issuer;
    void describe(json::Fields& field);
  };

  std::string client_id, client_secret, discovery, scope = "openid", realm = "apisix";
  bool ssl_verify = true;
  std::int64_t timeout = 3;
  // tokens of requests
  bool bearer_only = false, use_jwks = false, jwt_verification_cache_ignore = false;
  std::string public_key, token_signing_alg_values_expected, introspection_endpoint;
  ClientAuth introspection_endpoint_auth_method = ClientAuth::secret_basic;
  std::int64_t introspection_interval = 0, jwk_expires_in = 86400;
  std::string introspection_expiry_claim, cache_segment;
  std::vector<std::string> introspection_addon_headers, required_scopes;
  Claims claim_validator;
  json::Value claim_schema;
  // the code flow
  ClientAuth token_endpoint_auth_method = ClientAuth::secret_basic;
  std::optional<SessionConfig> session;
  std::string redirect_uri, logout_path = "/logout", post_logout_redirect_uri;
  UnauthAction unauth_action = UnauthAction::auth;
  bool use_pkce = false, use_nonce = false, force_reauthorize = false, revoke_tokens_on_logout = false;
  bool renew_access_token_on_expiry = true, accept_none_alg = false, accept_unsupported_alg = true;
  std::int64_t access_token_expires_in = 0, access_token_expires_leeway = 0, refresh_session_interval = 0;
  std::int64_t iat_slack = 120;
  std::vector<std::pair<std::string, json::Value>> authorization_params;
  Pushed par;
  // the client's assertions
  std::string client_rsa_private_key, client_rsa_private_key_id, client_jwt_assertion_alg;
  std::string client_jwt_assertion_audience;
  std::int64_t client_jwt_assertion_expires_in = 60;
  // what the upstream is told
  bool set_access_token_header = true, access_token_in_authorization_header = false;
  bool set_id_token_header = true, set_raw_id_token_header = false, set_userinfo_header = true;
  bool set_refresh_token_header = false;

  void describe(json::Fields& field);
  // Whether tokens of requests are looked at at all, and whether they are verified here.
  bool takes_tokens() const {
    return bearer_only || use_jwks || !public_key.empty() || !introspection_endpoint.empty();
  }
  bool verifies_here() const { return use_jwks || !public_key.empty(); }
  Duration patience() const;

 private:
  void describe_provider(json::Fields& field);
  void describe_tokens(json::Fields& field);
  void describe_flow(json::Fields& field);
  void describe_assertions(json::Fields& field);
  void describe_headers(json::Fields& field);
  void check(json::Fields& field) const;
};

}  // namespace sluice::plugin
