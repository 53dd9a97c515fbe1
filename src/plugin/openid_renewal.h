// SPDX-License-Identifier: Apache-2.0
// Access tokens are renewed with a refresh token, which many providers take once only: whoever comes second
// is refused, and may cost the user the whole login. So a page that sends ten requests when its token is over
// renews it once: the first asks, the others wait, and who comes with the old session a little later gets
// what the first got. Sessions in Redis are renewed by one gateway at a time, too. `OpenidRenewals` belongs
// to the plugin object, any thread; the rest runs on the worker that owns the exchange.
#pragma once
#include <mutex>
#include <optional>
#include <string>

#include "base/aging_cache.h"
#include "plugin/cache_turns.h"
#include "plugin/openid_config.h"

namespace sluice::plugin {

class OpenidProvider;

// refused: the user has to log in again. away: the provider gave no answer; nothing is known.
enum class Renewal : std::uint8_t { fresh, refused, away };

// What was renewed lately, by refresh token, and what is being renewed.
class OpenidRenewals {
 public:
  struct Outcome {
    Renewal what = Renewal::away;
    json::Value tokens;  // as the token endpoint answered, when fresh
  };
  std::optional<Outcome> find(std::string_view refresh_token, Instant now);
  void put(std::string_view refresh_token, Outcome outcome, Instant now);
  CacheTurns& turns() { return turns_; }

 private:
  struct Held {
    Outcome outcome;
    Instant until{};
  };
  static constexpr std::size_t held_max = 8192;
  std::mutex mutex_;
  AgingCache<Held> held_{held_max};
  CacheTurns turns_;
};

// Puts what a token endpoint answered into the session. `now` in seconds since 1970.
void take_tokens(const OpenidConfig& config, json::Value& session, const json::Value& tokens,
                 std::int64_t now);

struct RenewedSession {
  Renewal what = Renewal::refused;
  SessionCookies::Session session;  // as it was, when not fresh
  bool claimed = false;  // to be released when it is written
};
// The session with new tokens, to be written. Config, cookies and provider outlive the exchange.
async::Task<RenewedSession> renew(Exchange& x, const OpenidConfig& config, const SessionCookies& cookies,
                                  OpenidProvider& provider, SessionCookies::Session session);

}  // namespace sluice::plugin
