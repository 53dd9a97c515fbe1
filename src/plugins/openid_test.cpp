// SPDX-License-Identifier: Apache-2.0
// openid-connect over a provider that the test plays: the code flow, forged answers, tokens, bad weather.
#include <gtest/gtest.h>

#include <algorithm>

#include "async/child.h"
#include "base/digest.h"
#include "base/private_key.h"
#include "base/text.h"
#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType openid_connect;
namespace {

using json::Value;
using plugin::Outbound;
using plugin::OutboundReply;
using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::parsed;
using plugin::testing::problem_of;

constexpr std::int64_t wall = 1'700'000'000 + 3600;  // of the bench's clock

std::string coded(std::string_view text) {
  std::string out;
  base64_encode(text, out, Base64::url);
  return out;
}

std::string token(const Value& header, const Value& payload, std::string_view secret = "s3cret") {
  std::string text = coded(json::dump(header)) + "." + coded(json::dump(payload));
  return text + "." + coded(hmac_of(Digest::sha256, secret, text));
}

Value claims() {
  return Value::object({{"iss", "http://id"},
                        {"sub", "jack"},
                        {"aud", "gw"},
                        {"iat", wall},
                        {"exp", wall + 600}});
}

// A provider that answers as its members say.
struct Provider {
  Value id = claims(), header = Value::object({{"alg", "HS256"}}), user = Value::object({{"sub", "jack"}});
  std::string secret = "s3cret";
  bool down = false;
  int token_status = 200;
  std::string keys = R"({"keys": []})";

  Result<OutboundReply> operator()(const Outbound& asked) const {
    if (down) return fail(ErrorKind::refused, "nobody listens", Fault::peer);
    const auto answer = [](int status, const Value& body) {
      return OutboundReply{status, {}, json::dump(body)};
    };
    if (asked.url.ends_with("openid-configuration"))
      return answer(200, Value::object({{"issuer", "http://id"},
                                        {"authorization_endpoint", "http://id/auth"},
                                        {"token_endpoint", "http://id/token"},
                                        {"jwks_uri", "http://id/jwks"},
                                        {"userinfo_endpoint", "http://id/me"}}));
    if (asked.url.ends_with("/jwks")) return OutboundReply{200, {}, keys};
    if (asked.url.ends_with("/me")) return answer(200, user);
    if (asked.url.ends_with("/token"))
      return answer(token_status, Value::object({{"access_token", "a1"},
                                                 {"refresh_token", "r1"},
                                                 {"expires_in", 60},
                                                 {"id_token", token(header, id, secret)}}));
    return answer(404, Value::object());
  }
};

constexpr std::string_view config = R"({"client_id": "gw", "client_secret": "s3cret", "use_nonce": true,
    "discovery": "http://id/.well-known/openid-configuration", "redirect_uri": "/back",
    "session": {"secret": "a secret of the gateway"}})";

class Login : public ::testing::Test {
 protected:
  void SetUp() override {
    bench.worker.answer = [this](const Outbound& asked) { return provider(asked); };
    plugin = make(openid_connect, config);
    ASSERT_NE(plugin, nullptr);
  }
  // The answer to a request with the cookies so far, which are kept.
  int ask(std::string_view target) {
    Call call(bench, target);
    if (!cookie.empty()) call.header("Cookie", cookie);
    const auto verdict = bench.wait(plugin->rewrite(call.x));
    location.clear();
    if (verdict == nullptr) {
      user = call.request("X-Userinfo");
      return 0;
    }
    for (const auto& [name, value] : verdict->headers) {
      if (name == "Location") location = value;
      if (name == "Set-Cookie") cookie = value.substr(0, value.find(';'));
    }
    return verdict->status;
  }
  std::string argument(std::string_view name) const {
    const auto at = location.find(std::string(name) + "=");
    return at == std::string::npos
               ? ""
               : location.substr(at + name.size() + 1, location.find('&', at) - at - name.size() - 1);
  }
  // Begins a login and comes back.
  int log_in() {
    EXPECT_EQ(ask("/page?a=1"), 302);
    provider.id.set("nonce", argument("nonce"));
    return ask("/back?code=c&state=" + argument("state"));
  }

  std::ptrdiff_t renewals() const {
    return std::ranges::count_if(bench.worker.asked, [](const Outbound& asked) {
      return asked.body.find("grant_type=refresh_token") != std::string::npos;
    });
  }

  Bench bench;
  Provider provider;
  std::unique_ptr<const plugin::Plugin> plugin;
  std::string cookie, location, user;
};

// A request that is under way.
struct Asking {
  Asking(Bench& bench, const plugin::Plugin& plugin, std::string_view cookie) : call(bench, "/page") {
    call.header("Cookie", cookie);
    child.start(ask(*this, plugin));
  }
  static async::Task<> ask(Asking& self, const plugin::Plugin& plugin) {
    auto asking = plugin.rewrite(self.call.x);
    const auto verdict = co_await asking;
    self.status = verdict == nullptr ? 0 : verdict->status;
  }
  Call call;
  int status = -1;
  async::Child child;  // last: it uses the others
};

TEST_F(Login, ends_where_it_began) {
  EXPECT_EQ(log_in(), 302);
  EXPECT_EQ(location, "http://test.com/page?a=1");
  EXPECT_EQ(ask("/page"), 0);
  EXPECT_EQ(user, "eyJzdWIiOiJqYWNrIn0=");
}

TEST_F(Login, of_a_forged_id_token_is_none) {
  const auto refused = [this](auto change) {
    provider = Provider();
    cookie.clear();
    EXPECT_EQ(ask("/page"), 302);
    provider.id.set("nonce", argument("nonce"));
    change(provider);
    const int status = ask("/back?code=c&state=" + argument("state"));
    EXPECT_EQ(status, 502);
    EXPECT_EQ(ask("/page"), 302) << "logged in all the same";
  };
  refused([](Provider& p) { p.secret = "another"; });
  refused([](Provider& p) { p.header = Value::object({{"alg", "none"}}); });
  refused([](Provider& p) { p.header = Value::object({{"alg", "RS256"}}); });
  refused([](Provider& p) { p.id.set("iss", "http://other"); });
  refused([](Provider& p) { p.id.set("aud", "other"); });
  refused([](Provider& p) { p.id.set("azp", "other"); });
  refused([](Provider& p) { p.id.set("exp", wall - 1); });
  refused([](Provider& p) { p.id.set("iat", wall + 121); });
  refused([](Provider& p) { p.id.set("nonce", "other"); });
  refused([](Provider& p) { p.user = Value::object({{"sub", "jill"}}); });
}

TEST_F(Login, belongs_to_the_browser_that_began_it) {
  EXPECT_EQ(ask("/page"), 302);
  const std::string state = argument("state");
  const std::string own = std::exchange(cookie, "");
  EXPECT_EQ(ask("/back?code=c&state=" + state), 400);
  cookie = own;
  for (std::size_t at = 8; at < cookie.size(); at += 7) {
    std::string changed = own;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    cookie = changed;
    EXPECT_EQ(ask("/back?code=c&state=" + state), 400);
  }
}

TEST_F(Login, ends_when_it_was_not_used) {
  EXPECT_EQ(log_in(), 302);
  bench.clock.advance(std::chrono::seconds(50));
  bench.settle();
  EXPECT_EQ(ask("/page"), 0);
  bench.clock.advance(std::chrono::seconds(901));
  bench.settle();
  EXPECT_EQ(ask("/page"), 302);
}

TEST_F(Login, is_renewed_or_begins_again) {
  EXPECT_EQ(log_in(), 302);
  bench.clock.advance(std::chrono::seconds(61));
  bench.settle();
  provider.id.set("iat", wall + 61);
  EXPECT_EQ(ask("/page"), 0);
  EXPECT_EQ(renewals(), 1);
  EXPECT_EQ(ask("/page"), 0) << "the browser has not seen the new session yet";
  EXPECT_EQ(renewals(), 1) << "a refresh token is used once";
  bench.clock.advance(std::chrono::seconds(61));
  bench.settle();
  provider.token_status = 400;
  EXPECT_EQ(ask("/page"), 302);
}

TEST_F(Login, is_renewed_once_for_all_who_ask) {
  EXPECT_EQ(log_in(), 302);
  bench.pass(std::chrono::seconds(61));
  bench.worker.delay = 10ms;
  std::vector<std::unique_ptr<Asking>> all;
  for (int i = 0; i < 5; ++i) all.push_back(std::make_unique<Asking>(bench, *plugin, cookie));
  bench.pass(5ms);
  for (const auto& one : all) EXPECT_FALSE(one->child.ended());
  all.erase(all.begin());  // whoever asked first goes away
  bench.pass(10ms);
  for (const auto& one : all) {
    ASSERT_TRUE(one->child.ended());
    EXPECT_EQ(one->status, 0);
  }
  EXPECT_EQ(renewals(), 1);
}

TEST_F(Login, follows_a_clock_that_jumps) {
  EXPECT_EQ(log_in(), 302);
  bench.jump(std::chrono::minutes(-10));
  EXPECT_EQ(ask("/page"), 0) << "a session of the future";
  bench.jump(std::chrono::minutes(10));
  EXPECT_EQ(ask("/page"), 0);
  bench.jump(std::chrono::hours(24));
  EXPECT_EQ(ask("/page"), 302) << "a session of yesterday";
}

TEST_F(Login, outlives_a_provider_that_is_away) {
  EXPECT_EQ(log_in(), 302);
  bench.clock.advance(std::chrono::seconds(61));
  bench.settle();
  provider.down = true;
  EXPECT_EQ(ask("/page"), 503) << "neither let through nor logged out";
  provider.down = false;
  bench.clock.advance(std::chrono::seconds(2));
  bench.settle();
  EXPECT_EQ(ask("/page"), 0);
}

TEST_F(Login, goes_on_with_a_token_that_still_holds) {
  plugin = make(openid_connect, std::string(config.substr(0, config.size() - 1)) +
                                    R"(, "access_token_expires_leeway": 30})");
  EXPECT_EQ(log_in(), 302);
  bench.clock.advance(std::chrono::seconds(40));
  bench.settle();
  provider.token_status = 400;
  EXPECT_EQ(ask("/page"), 0);
  provider.down = true;
  EXPECT_EQ(ask("/page"), 0);
}

TEST_F(Login, waits_for_a_provider_that_is_down) {
  provider.down = true;
  EXPECT_EQ(ask("/page"), 503);
  const auto asked = bench.worker.asked.size();
  EXPECT_EQ(ask("/page"), 503);
  EXPECT_EQ(bench.worker.asked.size(), asked) << "it is asked for every request";
  provider.down = false;
  bench.clock.advance(std::chrono::seconds(2));
  bench.settle();
  EXPECT_EQ(ask("/page"), 302);
}

TEST_F(Login, begins_again_a_few_times_when_its_state_is_gone) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask("/page"), 302);
    EXPECT_EQ(ask("/back?code=c&state=gone"), 302);
    EXPECT_EQ(location, "http://test.com/page");
  }
  EXPECT_EQ(ask("/back?code=c&state=gone"), 400);
  EXPECT_EQ(ask("/page"), 302);
  EXPECT_EQ(ask("/back?error=access_denied&state=" + argument("state")), 403);
}

TEST(Openid, takes_tokens_by_one_kind_of_key) {
  constexpr std::string_view with_key = R"(","bearer_only": true, "discovery": "http://id", "client_id": "gw",
      "claim_validator": {"issuer": {"valid_issuers": ["http://id"]}}})";
  const std::string pem =
      R"(-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3ch)"
      R"(ynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==)"
      R"(\n-----END PUBLIC KEY-----)";
  std::string problem;
  const auto plugin = make(openid_connect, R"({"public_key": ")" + pem + std::string(with_key), &problem);
  ASSERT_NE(plugin, nullptr) << problem;
  Bench bench;
  const auto status = [&](const std::string& bearer) {
    Call call(bench);
    call.header("Authorization", "Bearer " + bearer).header("X-Userinfo", "forged");
    const auto verdict = bench.wait(plugin->rewrite(call.x));
    EXPECT_EQ(call.request("X-Userinfo"), "<absent>");
    return verdict == nullptr ? 0 : verdict->status;
  };
  const auto header = [](std::string_view algorithm) { return Value::object({{"alg", algorithm}}); };
  EXPECT_EQ(status("nonsense"), 401);
  EXPECT_EQ(status(token(header("none"), claims())), 401);
  EXPECT_EQ(status(token(header("ES256"), claims())), 401);
  std::string text;
  for (const char c : pem) text += c;
  EXPECT_EQ(status(token(header("HS256"), claims(), text)), 401) << "the public key is no secret";
  EXPECT_EQ(status(std::string(100'000, 'a')), 401);
}

TEST(Openid, refuses_what_it_cannot_do) {
  const auto problem = [](std::string_view more) {
    return problem_of(openid_connect,
                      R"({"client_id": "a", "discovery": "http://id")" + std::string(more) + "}");
  };
  EXPECT_EQ(problem(R"(, "client_secret": "b")"),
            R"(property "session.secret" is required when "bearer_only" is false)");
  EXPECT_EQ(problem(R"(, "bearer_only": true)"), R"(property "client_secret" is required)");
  EXPECT_EQ(problem(R"(, "bearer_only": true, "use_jwks": true)"), "");
  EXPECT_NE(problem(R"(, "bearer_only": true, "use_jwks": true, "proxy_opts": {"http_proxy": "http://p"}})"),
            "");
  EXPECT_NE(problem(R"(, "bearer_only": true, "use_jwks": true, "dpop": {"enabled": true})"), "");
  EXPECT_NE(problem(R"(, "use_pkce": true, "session": {"secret": "too short"})"), "");
  EXPECT_NE(problem(R"(, "use_pkce": true, "session": {"secret": "0123456789abcdef", "storage": "redis"})"),
            "");
  EXPECT_NE(problem(R"(, "use_pkce": true, "token_endpoint_auth_method": "private_key_jwt",
                      "session": {"secret": "0123456789abcdef"})"), "");
}

}  // namespace
}  // namespace sluice::plugins
