// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "base/bounded.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "http/url.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/openid_claims.h"
#include "plugin/openid_provider.h"
#include "plugin/values.h"

namespace sluice::plugins {
namespace {

using json::Value;
using plugin::ClientAuth;
using plugin::Exchange;
using plugin::OpenidConfig;
using plugin::OpenidProvider;
using plugin::OutboundFields;
using plugin::Renewal;
using plugin::UnauthAction;
using plugin::Verdict;
using plugin::VerdictTask;
using Session = plugin::SessionCookies::Session;
using Cookies = std::vector<std::string>;

constexpr std::string_view redirect_suffix = "/.apisix/redirect";
constexpr std::string_view headers_made[]{"X-Access-Token", "X-Userinfo", "X-ID-Token", "X-Refresh-Token",
                                          "X-Raw-ID-Token"};
constexpr std::size_t logins_max = 5;              // begun and not ended, of one browser
constexpr std::int64_t login_seconds_max = 3600;   // a login may take
constexpr std::int64_t tries_max = 3;              // a login that fails at the provider begins again so often
constexpr std::size_t url_max = 2048;              // of where a login began; of a longer one the path is kept
constexpr std::size_t random_bytes = 32;

std::string random_text() {
  std::string bytes(random_bytes, '\0'), text;
  fill_with_secret_bytes(bytes.data(), bytes.size());
  base64_encode(bytes, text, Base64::url);
  return text;
}

std::string base64_of(const Value& value) {
  std::string text;
  base64_encode(json::dump(value), text);
  return text;
}

std::int64_t whole(const Value& object, std::string_view name) {
  const auto* member = object.find(name);
  return member != nullptr && member->is_number() ? bounded_whole(member->as_double()) : 0;
}

bool is_true(const Value& object, std::string_view name) {
  const auto* member = object.find(name);
  return member != nullptr && member->is_bool() && member->as_bool();
}

std::string_view path_of(const Exchange& x) { return x.request.target.substr(0, x.request.target.find('?')); }

// Where the client sees this server.
std::string origin_of(const Exchange& x) {
  return (x.is_secure() ? "https://" : "http://") + std::string(x.request.authority);
}

Verdict go_to(std::string url, const Cookies& cookies) {
  auto verdict = plugin::reply(302);
  verdict->headers.emplace_back("Location", std::move(url));
  verdict->headers.emplace_back("Cache-Control", "no-store");
  for (const auto& cookie : cookies) verdict->headers.emplace_back("Set-Cookie", cookie);
  return verdict;
}

}  // namespace

// Lets those through who are logged in at an OpenID provider, and sends browsers there to log in; or takes
// access tokens, verified here or by the provider (OpenID Connect Core, RFC 6750, RFC 7636, RFC 7662).
class OpenidConnect final : public plugin::Plugin {
 public:
  using Config = OpenidConfig;

  explicit OpenidConnect(Config config) : config_(std::move(config)), wanted_(config_) {
    if (config_.session) cookies_.emplace(*config_.session, config_.client_id + "\n" + config_.discovery);
    if (config_.redirect_uri.starts_with('/')) {
      redirect_path_ = config_.redirect_uri;
    } else if (const auto url = http::parse_url(config_.redirect_uri)) {
      redirect_path_ = url->target.substr(0, url->target.find('?'));
    }
  }

  VerdictTask rewrite(Exchange& x) const override {
    auto& provider = x.local<OpenidProvider>(*this);
    if (!provider.is_set_up()) provider.set_up(config_, *published_, *renewals_);
    auto& headers = x.request.headers;
    const std::string_view own_token = headers.get("X-Access-Token");
    for (const std::string_view name : headers_made) headers.remove(name);
    if (!config_.takes_tokens()) return by_session(x, provider);
    std::string_view token = own_token;
    if (const auto* field = headers.find(http::HeaderId::authorization)) {
      const std::size_t blank = field->value.find(' ');
      if (blank == std::string_view::npos || headers.repeated(http::HeaderId::authorization))
        return bad_request();
      const bool bearer = equals_ignoring_case(field->value.substr(0, blank), "bearer");
      token = bearer ? trim(field->value.substr(blank + 1)) : std::string_view();
    }
    if (!token.empty()) return by_token(x, provider, std::string(token));
    if (!config_.bearer_only) return by_session(x, provider);
    log::info("openid-connect: no bearer token found in request");
    return wanted_.unauthorized("");
  }

  void response(Exchange& x) const override {
    const auto* kept = x.existing_state<Kept>(*this);
    if (kept == nullptr) return;
    for (const auto& cookie : kept->cookies) x.response.headers.add("Set-Cookie", cookie);
  }

 private:
  // What the client gets with the upstream's answer.
  struct Kept {
    Cookies cookies;
  };

  static Verdict bad_request() { return plugin::reply(400, "Invalid Authorization header format.\n"); }

  // ---- tokens of requests ----

  VerdictTask by_token(Exchange& x, OpenidProvider& provider, std::string token) const {
    OutboundFields along;
    for (const auto& name : config_.introspection_addon_headers)
      if (const auto* field = x.request.headers.find(name)) along.emplace_back(name, field->value);
    auto checking =
        config_.verifies_here() ? provider.verify(token) : provider.introspect(token, std::move(along));
    auto claims = co_await checking;
    if (!claims) {
      log::error("OIDC introspection failed: {}", claims.error().what);
      co_return wanted_.unauthorized(claims.error().what);
    }
    if (!wanted_.has_scopes(claims->text("scope"))) co_return wanted_.scopes_missing();
    if (auto verdict = wanted_.refuse_audience(*claims); verdict != nullptr) co_return verdict;
    if (auto verdict = wanted_.refuse(*claims); verdict != nullptr) co_return verdict;
    tell_access_token(x, token);
    if (config_.set_userinfo_header) x.request.headers.set("X-Userinfo", base64_of(*claims));
    co_return plugin::pass();
  }

  void tell_access_token(Exchange& x, std::string_view token) const {
    if (!config_.set_access_token_header || token.empty()) return;
    if (config_.access_token_in_authorization_header)
      x.request.headers.set("Authorization", "Bearer " + std::string(token));
    else x.request.headers.set("X-Access-Token", token);
  }

  // ---- sessions ----

  std::string redirect_path(const Exchange& x) const {
    if (!redirect_path_.empty()) return redirect_path_;
    std::string path(path_of(x));
    if (path.ends_with(redirect_suffix)) return path;
    while (path.ends_with('/')) path.pop_back();
    return path + std::string(redirect_suffix);
  }
  std::string redirect_uri(const Exchange& x) const {
    if (!config_.redirect_uri.empty() && !config_.redirect_uri.starts_with('/')) return config_.redirect_uri;
    return origin_of(x) + redirect_path(x);
  }
  std::int64_t now(const Exchange& x) const { return x.worker.loop.wall() / 1'000'000'000; }

  VerdictTask by_session(Exchange& x, OpenidProvider& provider) const {
    auto reading = cookies_->read(x, provider.redis());
    auto read = co_await reading;
    if (!read) {
      log::error("openid-connect: the session cannot be read: {}", read.error().what);
      co_return plugin::reply(503);
    }
    Session session = *read ? std::move(**read) : Session();
    VerdictTask next = plugin::pass();
    if (path_of(x) == config_.logout_path) next = log_out(x, provider, std::move(session));
    else if (path_of(x) == redirect_path(x)) next = come_back(x, provider, std::move(session));
    else if (!is_true(session.data, "in")) next = stranger(x, provider, std::move(session));
    else next = known(x, provider, std::move(session));
    auto verdict = co_await next;
    co_return verdict;
  }

  VerdictTask stranger(Exchange& x, OpenidProvider& provider, Session session) const {
    if (config_.unauth_action == UnauthAction::auth) return log_in(x, provider, std::move(session), "");
    cookies_->hide(x);
    return config_.unauth_action == UnauthAction::pass ? plugin::pass() : plugin::reply(401);
  }

  VerdictTask known(Exchange& x, OpenidProvider& provider, Session session) const {
    bool changed = session.stale, claimed = false;
    const std::int64_t over = whole(session.data, "expires");
    if (config_.renew_access_token_on_expiry && over > 0 &&
        over - config_.access_token_expires_leeway <= now(x)) {
      auto renewing = plugin::renew(x, config_, *cookies_, provider, std::move(session));
      auto renewed = co_await renewing;
      session = std::move(renewed.session);
      claimed = renewed.claimed;
      const bool holds = over > now(x);  // it is only about to end
      if (renewed.what == Renewal::away && !holds) co_return plugin::reply(503);
      if (renewed.what == Renewal::refused && !holds) {
        auto asking = stranger(x, provider, Session());
        auto verdict = co_await asking;
        co_return verdict;
      }
      changed = changed || renewed.what == Renewal::fresh;
    }
    const std::int64_t interval = bounded_whole(config_.refresh_session_interval);
    const bool asked_again = interval > 0 && whole(session.data, "at") + interval < now(x);
    const bool used_up = config_.force_reauthorize && !is_true(session.data, "fresh");
    if ((asked_again || used_up) && config_.unauth_action == UnauthAction::auth) {
      auto asking = log_in(x, provider, std::move(session), used_up ? "" : "none");
      auto verdict = co_await asking;
      co_return verdict;
    }
    if (config_.force_reauthorize) changed = session.data.erase("fresh") || changed;
    if (auto verdict = refuse_user(session.data); verdict != nullptr) co_return verdict;
    tell_user(x, session.data);
    if (changed) {
      const std::string id = session.id;
      auto writing = cookies_->write(x, provider.redis(), std::move(session));
      auto written = co_await writing;
      if (claimed) {
        auto releasing = cookies_->release(provider.redis(), id);
        co_await releasing;
      }
      if (written) x.state<Kept>(*this).cookies = std::move(*written);
      else log::error("openid-connect: the session cannot be kept: {}", written.error().what);
    }
    cookies_->hide(x);
    co_return plugin::pass();
  }

  Verdict refuse_user(const Value& data) const {
    if (wanted_.want_schema()) {
      Value claims = Value::object(
          {{"access_token", data.text("access")}, {"id_token", plugin::claims_of(data.text("id"))}});
      if (const auto* user = data.find("user")) claims.set("user", *user);
      if (auto verdict = wanted_.refuse(std::move(claims)); verdict != nullptr) return verdict;
    }
    if (config_.required_scopes.empty()) return plugin::pass();
    const Value access = plugin::claims_of(data.text("access")), id = plugin::claims_of(data.text("id"));
    for (const std::string_view granted : {access.text("scope"), data.text("scope"), id.text("scope")})
      if (!granted.empty()) return wanted_.has_scopes(granted) ? plugin::pass() : wanted_.scopes_missing();
    return wanted_.scopes_missing();  // nobody knows them
  }

  void tell_user(Exchange& x, const Value& data) const {
    auto& headers = x.request.headers;
    tell_access_token(x, data.text("access"));
    const std::string_view id = data.text("id");
    if (config_.set_id_token_header && !id.empty())
      headers.set("X-ID-Token", base64_of(plugin::claims_of(id)));
    if (config_.set_raw_id_token_header && !id.empty()) headers.set("X-Raw-ID-Token", id);
    if (const auto* user = data.find("user"); user != nullptr && config_.set_userinfo_header)
      headers.set("X-Userinfo", base64_of(*user));
    if (config_.set_refresh_token_header && !data.text("refresh").empty())
      headers.set("X-Refresh-Token", data.text("refresh"));
  }

  // ---- the code flow ----

  Value& begun_logins(Session& session, std::int64_t time) const {
    auto* logins = session.data.find("logins");
    if (logins == nullptr || !logins->is_array()) logins = &session.data.set("logins", Value::array());
    auto& list = logins->as_array();
    std::erase_if(list, [time](const Value& one) { return time - whole(one, "t") > login_seconds_max; });
    while (list.size() >= logins_max) list.erase(list.begin());
    return *logins;
  }

  OutboundFields parameters(const Exchange& x, const Value& login, std::string_view prompt) const {
    OutboundFields arguments{{"response_type", "code"},
                             {"client_id", config_.client_id},
                             {"state", std::string(login.text("s"))},
                             {"redirect_uri", redirect_uri(x)},
                             {"scope", config_.scope}};
    if (!login.text("n").empty()) arguments.emplace_back("nonce", login.text("n"));
    if (!login.text("v").empty()) {
      std::string challenge;
      base64_encode(digest_of(Digest::sha256, login.text("v")), challenge, Base64::url);
      arguments.emplace_back("code_challenge", std::move(challenge));
      arguments.emplace_back("code_challenge_method", "S256");
    }
    if (!prompt.empty()) arguments.emplace_back("prompt", prompt);
    for (const auto& [name, value] : config_.authorization_params)
      arguments.emplace_back(name, value.is_string() ? value.as_string() : json::dump(value));
    return arguments;
  }

  VerdictTask log_in(Exchange& x, OpenidProvider& provider, Session session, std::string prompt) const {
    auto discovering = provider.discovery();
    const auto found = co_await discovering;
    if (!found) co_return failed("the provider cannot be asked", found.error());
    const std::string target(x.request.target.size() <= url_max ? x.request.target : path_of(x));
    Value login = Value::object({{"s", random_text()}, {"u", origin_of(x) + target}, {"t", now(x)}});
    if (config_.use_pkce) login.set("v", random_text());
    if (config_.use_nonce) login.set("n", random_text());
    if (!prompt.empty()) login.set("p", true);
    OutboundFields arguments = parameters(x, login, prompt);
    session.data.set("url", *login.find("u"));
    begun_logins(session, now(x)).push_back(std::move(login));
    if (config_.par.enabled) {
      const std::string& own = config_.par.endpoint;
      auto pushing =
          provider.post(own.empty() ? (*found)->pushed_endpoint : own, std::move(arguments),
                        config_.par.endpoint_auth_method.value_or(config_.token_endpoint_auth_method));
      const auto pushed = co_await pushing;
      if (!pushed) co_return failed("the login could not be sent ahead", pushed.error());
      arguments = {{"client_id", config_.client_id},
                   {"request_uri", std::string(pushed->text("request_uri"))}};
    }
    auto writing = cookies_->write(x, provider.redis(), std::move(session));
    const auto written = co_await writing;
    if (!written) co_return failed("the session cannot be kept", written.error());
    std::string url = (*found)->authorization_endpoint;
    for (const auto& [name, value] : arguments) plugin::add_argument(url, name, value);
    co_return go_to(std::move(url), *written);
  }

  static Verdict failed(std::string_view what, const Error& error) {
    log::error("OIDC authentication failed: {}: {}", what, error.what);
    const bool theirs = error.fault == Fault::peer && error.kind == ErrorKind::protocol;
    return plugin::reply(theirs ? 502 : 503);
  }

  // The browser comes back from the provider.
  VerdictTask come_back(Exchange& x, OpenidProvider& provider, Session session) const {
    const Value arguments = plugin::arguments_value(x.request.query);
    const std::string state(arguments.text("state"));
    Value login;
    if (auto* logins = session.data.find("logins");
        logins != nullptr && logins->is_array() && !state.empty()) {
      auto& list = logins->as_array();
      const auto at = std::ranges::find_if(list, [&](const Value& one) {
        return equals_in_constant_time(one.text("s"), state) && now(x) - whole(one, "t") <= login_seconds_max;
      });
      if (at != list.end()) {
        login = std::move(*at);
        list.erase(at);
      }
    }
    const std::string_view error = arguments.text("error");
    const bool transient = login.is_null() || error == "temporarily_unavailable" || is_true(login, "p");
    VerdictTask next = plugin::pass();
    if (!login.is_null() && error.empty() && !arguments.text("code").empty())
      next =
          take_code(x, provider, std::move(session), std::move(login), std::string(arguments.text("code")));
    else next = begin_again(x, provider, std::move(session), std::string(error), transient);
    auto verdict = co_await next;
    co_return verdict;
  }

  // A login that was begun elsewhere, or that the provider could not end, begins once more: a browser is
  // not left with an error it can do nothing about.
  VerdictTask begin_again(Exchange& x, OpenidProvider& provider, Session session, std::string error,
                          bool transient) const {
    const std::int64_t tries = whole(session.data, "tries");
    const std::string url(session.data.text("url"));
    log::warn("openid-connect: a login did not succeed: {}",
              error.empty() ? "the answer belongs to no login that this browser has begun" : error);
    if (!transient) co_return plugin::reply(error == "access_denied" ? 403 : 401);
    if (url.empty() || tries >= tries_max || x.request.method_id != http::Method::get)
      co_return plugin::reply(400);
    session.data.set("tries", tries + 1);
    if (!error.empty()) session.data.erase("in");  // the provider knows nobody: with a page, then
    auto writing = cookies_->write(x, provider.redis(), std::move(session));
    const auto written = co_await writing;
    if (!written) co_return failed("the session cannot be kept", written.error());
    co_return go_to(url, *written);
  }

  VerdictTask take_code(Exchange& x, OpenidProvider& provider, Session session, Value login,
                        std::string code) const {
    auto discovering = provider.discovery();
    const auto found = co_await discovering;
    if (!found) co_return failed("the provider cannot be asked", found.error());
    OutboundFields arguments{
        {"grant_type", "authorization_code"}, {"code", std::move(code)}, {"redirect_uri", redirect_uri(x)}};
    if (!login.text("v").empty()) arguments.emplace_back("code_verifier", login.text("v"));
    auto asking =
        provider.post((*found)->token_endpoint, std::move(arguments), config_.token_endpoint_auth_method);
    const auto tokens = co_await asking;
    if (!tokens) co_return failed("no tokens for the code", tokens.error());
    const std::string id_token(tokens->text("id_token")), access(tokens->text("access_token"));
    auto checking = provider.check_id_token(id_token, std::string(login.text("n")));
    const auto claims = co_await checking;
    if (!claims) co_return failed("no login", claims.error());
    Session fresh;
    plugin::take_tokens(config_, fresh.data, *tokens, now(x));
    fresh.data.set("in", true);
    fresh.data.set("at", now(x));
    if (config_.force_reauthorize) fresh.data.set("fresh", true);
    if (!(*found)->userinfo_endpoint.empty() && !access.empty() &&
        (config_.set_userinfo_header || wanted_.want_schema())) {
      auto telling = provider.userinfo(access);
      auto user = co_await telling;
      if (user && user->text("sub") != claims->text("sub"))
        co_return failed("no login",
                         Error{ErrorKind::protocol, Fault::peer, "userinfo is about somebody else"});
      if (user) fresh.data.set("user", std::move(*user));
      else log::error("openid-connect: userinfo: {}", user.error().what);
    }
    auto ending = cookies_->end(x, provider.redis(), session.id);  // nobody keeps the session of a stranger
    const Cookies dropped = co_await ending;  // by those of the new one
    auto writing = cookies_->write(x, provider.redis(), std::move(fresh));
    const auto written = co_await writing;
    if (!written) co_return failed("the session cannot be kept", written.error());
    co_return go_to(std::string(login.text("u")), *written);
  }

  VerdictTask log_out(Exchange& x, OpenidProvider& provider, Session session) const {
    auto discovering = provider.discovery();
    const auto found = co_await discovering;
    if (!found) co_return failed("the provider cannot be asked", found.error());
    if (config_.revoke_tokens_on_logout && !(*found)->revocation_endpoint.empty()) {
      for (const char* kind : {"refresh", "access"}) {
        const std::string token(session.data.text(kind));
        if (token.empty()) continue;
        auto revoking = provider.post((*found)->revocation_endpoint,
                                      {{"token", token}, {"token_type_hint", std::string(kind) + "_token"}},
                                      config_.token_endpoint_auth_method);
        const auto told = co_await revoking;
        if (!told) log::info("openid-connect: the provider answers a revocation: {}", told.error().what);
      }
    }
    auto ending = cookies_->end(x, provider.redis(), session.id);
    const Cookies cookies = co_await ending;
    std::string url = (*found)->end_session_endpoint;
    if (!url.empty()) {
      if (const auto id = session.data.text("id"); !id.empty())
        plugin::add_argument(url, "id_token_hint", id);
      else plugin::add_argument(url, "client_id", config_.client_id);
      if (!config_.post_logout_redirect_uri.empty())
        plugin::add_argument(url, "post_logout_redirect_uri", config_.post_logout_redirect_uri);
    } else {
      url = config_.post_logout_redirect_uri;
    }
    if (!url.empty()) co_return go_to(std::move(url), cookies);
    auto verdict = plugin::reply(200, "Logged out\n");
    for (const auto& cookie : cookies) verdict->headers.emplace_back("Set-Cookie", cookie);
    co_return verdict;
  }

  Config config_;
  std::optional<plugin::SessionCookies> cookies_;  // without bearer_only
  plugin::OpenidClaims wanted_;
  std::unique_ptr<plugin::OpenidPublished> published_ = std::make_unique<plugin::OpenidPublished>();
  std::unique_ptr<plugin::OpenidRenewals> renewals_ = std::make_unique<plugin::OpenidRenewals>();
  std::string redirect_path_;  // "": depends on the request
};

extern constexpr plugin::PluginType openid_connect = plugin::plugin<OpenidConnect>({
    .name = "openid-connect",
    .summary = "Lets those through who are logged in at an OpenID provider, or bring a token of it.",
    .priority = 2599,
    .example = R"({"client_id": "gateway", "client_secret": "s3cret", "use_pkce": true,
        "discovery": "https://id.test/.well-known/openid-configuration",
        "session": {"secret": "a text of 16 letters or more"}})",
});

}  // namespace sluice::plugins
