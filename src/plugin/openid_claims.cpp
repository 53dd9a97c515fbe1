// SPDX-License-Identifier: Apache-2.0
#include "plugin/openid_claims.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "plugin/jwt.h"

namespace sluice::plugin {

json::Value claims_of(std::string_view token) {
  auto parsed = parse_jwt(token);
  return parsed ? std::move(parsed->payload) : json::Value();
}

OpenidClaims::OpenidClaims(const OpenidConfig& config) : config_(config) {
  if (config.claim_schema.is_object())
    if (auto compiled = json::Schema::compile(config.claim_schema)) schema_ = std::move(*compiled);
}

Verdict OpenidClaims::unauthorized(std::string_view why) const {
  auto verdict = reply(401);
  std::string value = "Bearer realm=\"" + config_.realm + "\"";
  if (!why.empty()) {
    std::string described(why);  // no quote ends it, no line either
    std::ranges::replace_if(
        described, [](char c) { return c < ' ' || c > '~' || c == '"' || c == '\\'; }, '\'');
    value += ", error=\"invalid_token\", error_description=\"" + described + "\"";
  }
  verdict->headers.emplace_back("WWW-Authenticate", std::move(value));
  return verdict;
}

bool OpenidClaims::has_scopes(std::string_view granted) const {
  return std::ranges::all_of(config_.required_scopes, [granted](const std::string& wanted) {
    for (const std::string_view scope : Split(granted, ' '))
      if (scope == wanted) return true;
    return false;
  });
}

Verdict OpenidClaims::scopes_missing() const {
  std::string list;
  for (const auto& scope : config_.required_scopes) list += (list.empty() ? "" : ", ") + scope;
  log::error("OIDC introspection failed: required scopes not present");
  return reply_json(403, json::Value::object({{"error", "required scopes " + list + " not present"}}));
}

Verdict OpenidClaims::refuse_audience(const json::Value& claims) const {
  const auto& wanted = config_.claim_validator.audience;
  if (!wanted.required && !wanted.match_with_client_id) return pass();
  const auto* audience = claims.find(wanted.claim);
  const auto refuse = [](std::string_view why, std::string_view told) {
    log::error("OIDC introspection failed: {}", why);
    return reply_json(403, json::Value::object({{"error", told}}));
  };
  if (audience == nullptr || audience->is_null())
    return refuse("required audience (" + wanted.claim + ") not present",
                  "required audience claim not present");
  if (!wanted.match_with_client_id) return pass();
  const auto is_us = [this](const json::Value& one) {
    return one.is_string() && one.as_string() == config_.client_id;
  };
  if (audience->is_array() && !std::ranges::any_of(audience->as_array(), is_us))
    return refuse("audience list does not contain the client id", "mismatched audience");
  if (!audience->is_array() && !is_us(*audience))
    return refuse("audience does not match the client id", "mismatched audience");
  return pass();
}

Verdict OpenidClaims::refuse(json::Value claims) const {
  if (!schema_) return pass();
  const auto wrong = schema_->check(claims);
  if (!wrong) return pass();
  log::error("OIDC claim validation failed: {}", *wrong);
  return unauthorized(*wrong);
}

}  // namespace sluice::plugin
