// SPDX-License-Identifier: Apache-2.0
#include "plugin/openid_renewal.h"

#include "base/bounded.h"
#include "base/log.h"
#include "plugin/openid_claims.h"
#include "plugin/openid_provider.h"

namespace sluice::plugin {
namespace {

using Session = SessionCookies::Session;

constexpr Duration held_fresh = std::chrono::seconds(60);  // for requests that were sent before the answer
constexpr Duration held_refused = std::chrono::seconds(10);
constexpr Duration held_away = std::chrono::seconds(1);
constexpr Duration looked_again = 50ms;  // while another gateway renews the session

Duration life_of(Renewal what) {
  if (what == Renewal::fresh) return held_fresh;
  return what == Renewal::refused ? held_refused : held_away;
}

// With what the provider gives for the session's refresh token, here or on whichever worker.
async::Task<RenewedSession> renew_here(Exchange& x, const OpenidConfig& config, OpenidProvider& provider,
                                       Session session) {
  auto asking = provider.renew(std::string(session.data.text("refresh")));
  const auto outcome = co_await asking;
  Renewal what = outcome.what;
  const std::string_view id = outcome.tokens.text("id_token");
  if (what == Renewal::fresh && !id.empty() &&
      claims_of(id).text("sub") != claims_of(session.data.text("id")).text("sub")) {
    log::error("openid-connect: the provider renews the access token of somebody else");
    what = Renewal::refused;
  }
  if (what == Renewal::fresh)
    take_tokens(config, session.data, outcome.tokens, x.worker.loop.wall() / 1'000'000'000);
  co_return RenewedSession{what, std::move(session)};
}

// Waits for the right to renew a session in Redis, then looks whether somebody had it before and has done so:
// then nothing is left to do, and `what` is fresh. An outcome of refused says: go on, the right is there.
async::Task<RenewedSession> take_the_right(Exchange& x, const OpenidConfig& config,
                                           const SessionCookies& cookies, OpenidProvider& provider,
                                           Session session) {
  const Instant deadline = x.worker.loop.now() + 2 * config.patience();
  for (;;) {
    auto claiming = cookies.claim(provider.redis(), session.id, config.patience());
    const auto claimed = co_await claiming;
    if (!claimed) co_return RenewedSession{Renewal::away, std::move(session)};
    auto reading = cookies.read(x, provider.redis());
    auto read = co_await reading;
    if (read && *read && (*read)->data.text("refresh") != session.data.text("refresh"))
      co_return RenewedSession{Renewal::fresh, std::move(**read), *claimed};
    if (*claimed || x.worker.loop.now() >= deadline)  // whoever had it may be gone
      co_return RenewedSession{Renewal::refused, std::move(session), *claimed};
    auto pause = x.worker.loop.sleep(looked_again);
    co_await pause;
  }
}

}  // namespace

std::optional<OpenidRenewals::Outcome> OpenidRenewals::find(std::string_view refresh_token, Instant now) {
  const std::lock_guard lock(mutex_);
  const auto* held = held_.find(refresh_token);
  if (held == nullptr || held->until <= now) return std::nullopt;
  return held->outcome;
}

void OpenidRenewals::put(std::string_view refresh_token, Outcome outcome, Instant now) {
  const Instant until = now + life_of(outcome.what);
  const std::lock_guard lock(mutex_);
  held_.put(refresh_token, {std::move(outcome), until});
}

void take_tokens(const OpenidConfig& config, json::Value& session, const json::Value& tokens,
                 std::int64_t now) {
  for (const auto& [from, to] : {std::pair{"access_token", "access"},
                                 {"refresh_token", "refresh"},
                                 {"id_token", "id"},
                                 {"scope", "scope"}})
    if (const auto text = tokens.text(from); !text.empty()) session.set(to, text);
  const auto* told = tokens.find("expires_in");
  std::int64_t life = told != nullptr && told->is_number() ? bounded_whole(told->as_double()) : 0;
  if (life <= 0) life = bounded_whole(config.access_token_expires_in);
  if (life > 0) session.set("expires", now + life);
  else session.erase("expires");
}

async::Task<RenewedSession> renew(Exchange& x, const OpenidConfig& config, const SessionCookies& cookies,
                                  OpenidProvider& provider, Session session) {
  if (session.data.text("refresh").empty()) co_return RenewedSession{Renewal::refused, std::move(session)};
  bool claimed = false;
  if (!session.id.empty()) {
    auto claiming = take_the_right(x, config, cookies, provider, std::move(session));
    auto right = co_await claiming;
    if (right.what != Renewal::refused) co_return right;
    session = std::move(right.session);
    claimed = right.claimed;
  }
  auto renewing = renew_here(x, config, provider, std::move(session));
  auto renewed = co_await renewing;
  renewed.claimed = claimed;
  co_return renewed;
}

}  // namespace sluice::plugin
