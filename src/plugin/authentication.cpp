// SPDX-License-Identifier: Apache-2.0
#include "plugin/authentication.h"

#include "base/log.h"

namespace sluice::plugin {

void AuthConfig::describe(json::Fields& field) {
  field("hide_credentials", hide_credentials, "Takes the credentials off before the upstream sees them.");
  field("anonymous_consumer", anonymous_consumer,
        "Whom a request without valid credentials counts as; absent, it is refused.")
      .length(1, 256);
  field("realm", realm, "What the WWW-Authenticate header of a refusal names (RFC 9110 §11.6.1).")
      .length(1, 128)
      .pattern(R"(^[ -!#-[\]-~]+$)");
}

Authentication::Authentication(std::string_view plugin, std::string_view scheme, const AuthConfig& config)
    : plugin_(plugin),
      hide_credentials_(config.hide_credentials),
      anonymous_(config.anonymous_consumer),
      challenge_(std::string(scheme) + " realm=\"" + config.realm + "\"") {}

Verdict Authentication::conclude(Exchange& x, const Identity& found) const {
  // The upstream may believe another one than was looked at here.
  if (x.request.headers.repeated(http::HeaderId::authorization))
    return refuse("more than one Authorization in request");
  if (found.consumer != nullptr) {
    x.authenticate(*found.consumer);
    return pass();
  }
  if (anonymous_.empty()) return refuse(found.why);
  const Consumer* anonymous = x.config->consumer_by_name(anonymous_);
  if (anonymous == nullptr) {
    log::error("{}: the anonymous_consumer {} does not exist", plugin_, anonymous_);
    return refuse("Invalid user authorization");
  }
  x.authenticate(*anonymous);
  return pass();
}

Verdict Authentication::refuse(std::string_view why) const {
  auto verdict = reply_message(401, why);
  verdict->headers.emplace_back("WWW-Authenticate", challenge_);
  return verdict;
}

}  // namespace sluice::plugin
