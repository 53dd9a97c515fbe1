// SPDX-License-Identifier: Apache-2.0
// What every authenticating plugin does alike: the fields of its config that are not about its credentials,
// and what becomes of a request that nobody is known by. Immutable, any thread.
#pragma once
#include <string>
#include <string_view>

#include "json/fields.h"
#include "plugin/exchange.h"

namespace sluice::plugin {

struct AuthConfig {
  explicit AuthConfig(std::string_view default_realm) : realm(default_realm) {}

  bool hide_credentials = false;
  std::string anonymous_consumer;
  std::string realm;

  void describe(json::Fields& field);
};

// What an authenticating plugin found out: the consumer, or why there is none.
struct Identity {
  const Consumer* consumer = nullptr;
  std::string_view why;
};

class Authentication {
 public:
  // `scheme` begins the challenge (RFC 9110 §11.6.1), `plugin` log lines.
  Authentication(std::string_view plugin, std::string_view scheme, const AuthConfig& config);

  bool hides_credentials() const { return hide_credentials_; }
  bool admits_anonymous() const { return !anonymous_.empty(); }
  // Attaches the consumer, or else the anonymous one, or refuses with 401 and a challenge.
  Verdict conclude(Exchange& x, const Identity& found) const;

 private:
  Verdict refuse(std::string_view why) const;

  std::string_view plugin_;
  bool hide_credentials_;
  std::string anonymous_, challenge_;
};

}  // namespace sluice::plugin
