// SPDX-License-Identifier: Apache-2.0
// An OpenID provider, as one worker knows it for one configuration: its discovery document and keys, kept and
// fetched again when they are old or a token names a key that no worker knows; questions to its endpoints
// with the client's credentials; tokens it was asked about. While it is away it is not asked for every
// request.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/child.h"
#include "base/aging_cache.h"
#include "plugin/openid_config.h"
#include "plugin/openid_published.h"
#include "plugin/openid_renewal.h"
#include "plugin/outbound.h"

namespace sluice::plugin {

class OpenidProvider final : public Local {
 public:
  explicit OpenidProvider(Worker& worker) : worker_(worker), redis_(worker) {}
  // Once, before anything else. All of them outlive it.
  void set_up(const OpenidConfig& config, OpenidPublished& published, OpenidRenewals& renewals);
  bool is_set_up() const { return config_ != nullptr; }
  Redis& redis() { return redis_; }

  using Known = std::shared_ptr<const OpenidDiscovery>;
  async::Task<Result<Known>> discovery();

  // The claims of a token that is signed as the config wants it, by whom it wants it, and not over.
  async::Task<Result<json::Value>> verify(std::string token);
  // What the provider says of it, when it is active. `fields` of the request go along.
  async::Task<Result<json::Value>> introspect(std::string token, OutboundFields fields);

  // An answer that is JSON and 200. `arguments` gain the client's credentials.
  async::Task<Result<json::Value>> post(std::string url, OutboundFields arguments, ClientAuth method);
  async::Task<Result<json::Value>> userinfo(std::string access_token);
  // What the token endpoint gives for a refresh token, asked once for all who want it. It goes on when the
  // client that wanted it is gone: the token would be used up, and nobody would have the new one.
  async::Task<OpenidRenewals::Outcome> renew(std::string refresh_token);
  // Claims of an ID token that came from the provider itself (OpenID Connect Core §3.1.3.7); behind
  // discovery(), as userinfo().
  async::Task<Result<json::Value>> check_id_token(std::string token, std::string nonce);

 private:
  struct Held {
    json::Value claims;
    std::int64_t until = 0;  // seconds since 1970
  };
  std::int64_t now() const { return worker_.loop.wall() / 1'000'000'000; }
  async::Task<Result<json::Value>> get(std::string url, std::string access_token);
  async::Task<Result<std::shared_ptr<const JwkSet>>> keys(std::string key_id);
  async::Task<Result<OutboundReply>> ask_by_post(std::string url, OutboundFields arguments,
                                                 ClientAuth method);
  async::Task<> renew_alone(std::string refresh_token, CacheTurns::Ticket ticket);
  async::Task<OpenidRenewals::Outcome> fresh_tokens(std::string refresh_token);
  async::Task<Result<bool>> is_signed(const Jwt& token);
  Result<std::string> assertion(std::string_view audience, ClientAuth method) const;
  Result<> authenticate(Outbound& request, OutboundFields& arguments, ClientAuth method) const;

  Worker& worker_;
  Redis redis_;
  const OpenidConfig* config_ = nullptr;
  OpenidPublished* published_ = nullptr;
  OpenidRenewals* renewals_ = nullptr;
  PublicKey public_key_;
  Published<OpenidDiscovery>::Copy known_;
  Published<JwkSet>::Copy keys_;
  Instant away_until_{}, keys_again_{};
  std::string away_;  // why
  static constexpr std::size_t held_max = 4096;
  AgingCache<Held> held_{held_max};
  std::vector<std::unique_ptr<async::Child>> renewing_;  // last: they use the rest
};

}  // namespace sluice::plugin
