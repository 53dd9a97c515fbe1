// SPDX-License-Identifier: Apache-2.0
// What plugin openid-connect wants of the claims of a token or a user, and how it refuses, in the words of
// RFC 6750. Immutable, any thread.
#pragma once
#include <optional>
#include <string_view>

#include "json/schema.h"
#include "plugin/openid_config.h"
#include "plugin/plugin.h"

namespace sluice::plugin {

// The claims of a token that was verified when it came; null of what is none.
json::Value claims_of(std::string_view token);

class OpenidClaims {
 public:
  // The config outlives it.
  explicit OpenidClaims(const OpenidConfig& config);

  bool want_schema() const { return schema_.has_value(); }
  // 401 with WWW-Authenticate; without a reason when there was no token.
  Verdict unauthorized(std::string_view why) const;
  // `granted` has spaces between.
  bool has_scopes(std::string_view granted) const;
  Verdict scopes_missing() const;
  // Null when the claims are as they should be.
  Verdict refuse_audience(const json::Value& claims) const;
  Verdict refuse(json::Value claims) const;  // by claim_schema

 private:
  const OpenidConfig& config_;
  std::optional<json::Schema> schema_;
};

}  // namespace sluice::plugin
