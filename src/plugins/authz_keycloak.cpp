// SPDX-License-Identifier: Apache-2.0
#include "base/bounded.h"
#include "base/log.h"
#include "base/text.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/held_body.h"
#include "plugin/outbound.h"
#include "plugin/values.h"

namespace sluice::plugins {
namespace {

using json::Value;
using plugin::Exchange;
using plugin::Outbound;
using plugin::OutboundFields;
using plugin::Verdict;
using plugin::VerdictTask;

enum class Enforcement : std::uint8_t { enforcing, permissive };
inline json::Names enum_names(Enforcement) {
  static constexpr std::string_view names[]{"ENFORCING", "PERMISSIVE"};
  return names;
}

constexpr std::string_view uma_ticket = "urn:ietf:params:oauth:grant-type:uma-ticket";

// What a worker knows of the provider, until it is too old.
struct Known final : plugin::Local {
  explicit Known(plugin::Worker&) {}
  std::string token_endpoint, resource_endpoint;
  Instant endpoints_until{};
  std::string access_token, refresh_token;
  Instant access_until{}, refresh_until{};
};

}  // namespace

// Asks Keycloak (Authorization Services, UMA 2) whether the bearer of a token may do what the request does.
class AuthzKeycloak final : public plugin::Plugin {
 public:
  struct Config {
    std::string client_id, client_secret, discovery, token_endpoint, resource_registration_endpoint;
    std::string grant_type{uma_ticket}, access_denied_redirect_uri,
        password_grant_token_generation_incoming_uri;
    std::vector<std::string> permissions;
    Enforcement policy_enforcement_mode = Enforcement::enforcing;
    bool http_method_as_scope = false, lazy_load_paths = false, ssl_verify = true;
    std::int64_t timeout = 3000, cache_ttl_seconds = 86400;
    std::int64_t access_token_expires_in = 300, access_token_expires_leeway = 0;
    std::int64_t refresh_token_expires_in = 3600, refresh_token_expires_leeway = 0;
    std::uint64_t max_req_body_size = plugin::body_held_default;
    plugin::KeepAliveConfig keepalive;

    void describe(json::Fields& field) {
      describe_provider(field);
      describe_policy(field);
      keepalive.describe(field);
      field.dropped("audience", "is client_id since APISIX 2.11");
      field.at_least_one_of({"discovery", "token_endpoint"});
      field.open();
      if (!field.reading()) return;
      plugin::check_url(field, "discovery", discovery);
      plugin::check_url(field, "token_endpoint", token_endpoint);
      plugin::check_url(field, "resource_registration_endpoint", resource_registration_endpoint);
      field.check(!lazy_load_paths || !discovery.empty() || !resource_registration_endpoint.empty(),
                  "lazy_load_paths", "needs discovery or resource_registration_endpoint",
                  "object matches none of the required");
    }

   private:
    void describe_provider(json::Fields& field) {
      field("discovery", discovery, "URL of the provider's discovery document.").length(1, 4096);
      field("token_endpoint", token_endpoint, "URL of its token endpoint, instead of the discovered one.")
          .length(1, 4096);
      field("resource_registration_endpoint", resource_registration_endpoint,
            "URL of its resource registration endpoint, instead of the discovered one.")
          .length(1, 4096);
      field("client_id", client_id, "The client whose resources are asked about.").required().length(1, 100);
      field("client_secret", client_secret, "The client's secret.").length(1, 100).secret();
      field("grant_type", grant_type, "The grant that asks for a decision.").one_of({Value(uma_ticket)});
      field("ssl_verify", ssl_verify, "Verifies the provider's certificate.");
      field("timeout", timeout, "Milliseconds for each question.").range(1000, 600'000);
      field("cache_ttl_seconds", cache_ttl_seconds, "Seconds for which discovery is kept.").at_least(1);
      field("access_token_expires_in", access_token_expires_in,
            "Seconds the client's own token lives, when the provider does not say.")
          .at_least(1);
      field("access_token_expires_leeway", access_token_expires_leeway,
            "Seconds by which it is renewed earlier.")
          .at_least(0);
      field("refresh_token_expires_in", refresh_token_expires_in,
            "Seconds its refresh token lives, when the provider does not say.")
          .at_least(1);
      field("refresh_token_expires_leeway", refresh_token_expires_leeway,
            "Seconds by which that is renewed earlier.")
          .at_least(0);
    }
    void describe_policy(json::Fields& field) {
      field("permissions", permissions, "What the bearer needs: \"resource\" or \"resource#scope\".")
          .unique().items().length(1, 100);
      field("lazy_load_paths", lazy_load_paths, "Finds the resource by the request's path, at the provider.");
      field("http_method_as_scope", http_method_as_scope, "Asks for the request's method as the scope.");
      field("policy_enforcement_mode", policy_enforcement_mode,
            "Whether a request that needs no permission is refused or let through.");
      field("access_denied_redirect_uri", access_denied_redirect_uri,
            "Where to send who is refused, instead of 403.")
          .length(1, 2048);
      field("password_grant_token_generation_incoming_uri", password_grant_token_generation_incoming_uri,
            "A POST of username and password to this target is answered with a token.")
          .length(1, 4096);
      field("max_req_body_size", max_req_body_size, "Bytes of that POST.").at_least(1);
    }
  };

  explicit AuthzKeycloak(Config config) : config_(std::move(config)) {}

  VerdictTask access(Exchange& x) const override {
    if (wants_token(x)) return grant_by_password(x);
    const auto* field = x.request.headers.find(http::HeaderId::authorization);
    if (field == nullptr) return plugin::reply_message(401, "Missing JWT token in request");
    if (x.request.headers.repeated(http::HeaderId::authorization))
      return plugin::reply_message(401, "more than one Authorization in request");
    const bool bearer = starts_with_ignoring_case(field->value, "bearer ");
    return evaluate(x, (bearer ? "" : "Bearer ") + std::string(field->value));
  }

 private:
  bool wants_token(const Exchange& x) const {
    return !config_.password_grant_token_generation_incoming_uri.empty() &&
           x.request.target == config_.password_grant_token_generation_incoming_uri &&
           x.request.method_id == http::Method::post &&
           x.request.headers.get(http::HeaderId::content_type) == "application/x-www-form-urlencoded";
  }

  Outbound question(std::string method, std::string url) const {
    Outbound request;
    request.method = std::move(method);
    request.url = std::move(url);
    request.timeout = std::chrono::milliseconds(config_.timeout);
    request.verify = config_.ssl_verify;
    return request;
  }
  Outbound form(const std::string& url, const OutboundFields& arguments) const {
    Outbound request = question("POST", url);
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.body = plugin::form_of(arguments);
    return request;
  }

  static Result<Value> json_of(const Result<plugin::OutboundReply>& answer, const std::string& url) {
    if (!answer) return std::unexpected(answer.error());
    if (answer->status != 200)
      return fail(ErrorKind::protocol, url + " answered " + std::to_string(answer->status), Fault::peer);
    auto parsed = json::parse(answer->body);
    if (!parsed) return fail(ErrorKind::protocol, url + " answered what is no JSON", Fault::peer);
    return parsed;
  }

  // Endpoints as configured, else as the provider tells them.
  async::Task<Result<>> discover(Exchange& x, Known& known) const {
    if (config_.discovery.empty() || known.endpoints_until > x.worker.loop.now()) {
      if (known.token_endpoint.empty()) known.token_endpoint = config_.token_endpoint;
      if (known.resource_endpoint.empty()) known.resource_endpoint = config_.resource_registration_endpoint;
      co_return Result<>();
    }
    auto asking = x.worker.ask(question("GET", config_.discovery));
    const auto answer = co_await asking;
    const auto document = json_of(answer, config_.discovery);
    if (!document) co_return std::unexpected(document.error());
    const auto chosen = [&](const std::string& own, std::string_view name) {
      return own.empty() ? std::string(document->text(name)) : own;
    };
    known.token_endpoint = chosen(config_.token_endpoint, "token_endpoint");
    known.resource_endpoint =
        chosen(config_.resource_registration_endpoint, "resource_registration_endpoint");
    known.endpoints_until = x.worker.loop.now() + bounded_seconds(config_.cache_ttl_seconds);
    co_return Result<>();
  }

  // The client's own token, for the Protection API: kept, refreshed, or fetched.
  async::Task<Result<>> own_token(Exchange& x, Known& known) const {
    const Instant now = x.worker.loop.now();
    if (!known.access_token.empty() && now < known.access_until) co_return Result<>();
    const bool refresh = !known.refresh_token.empty() && now < known.refresh_until;
    OutboundFields arguments{{"grant_type", refresh ? "refresh_token" : "client_credentials"},
                             {"client_id", config_.client_id},
                             {"client_secret", config_.client_secret}};
    if (refresh) arguments.emplace_back("refresh_token", known.refresh_token);
    known.refresh_token.clear();  // one that fails is not tried again
    auto asking = x.worker.ask(form(known.token_endpoint, arguments));
    const auto answer = co_await asking;
    const auto token = json_of(answer, known.token_endpoint);
    if (!token) co_return std::unexpected(token.error());
    known.access_token = token->text("access_token");
    if (known.access_token.empty())
      co_return fail(ErrorKind::protocol, known.token_endpoint + " answered without an access_token",
                     Fault::peer);
    known.access_until = expiry(now, *token, "expires_in", config_.access_token_expires_in,
                                config_.access_token_expires_leeway);
    known.refresh_token = token->text("refresh_token");
    known.refresh_until = expiry(now, *token, "refresh_expires_in", config_.refresh_token_expires_in,
                                 config_.refresh_token_expires_leeway);
    co_return Result<>();
  }

  static Instant expiry(Instant now, const Value& token, std::string_view name, std::int64_t otherwise,
                        std::int64_t leeway) {
    const Value* said = token.find(name);
    const std::int64_t seconds = said != nullptr && said->is_integer() ? said->as_int() : otherwise;
    return now + bounded_seconds(bounded_whole(seconds) - 1 - bounded_whole(leeway));
  }

  // The ids of the resources that the request's path belongs to.
  async::Task<Result<std::vector<std::string>>> resources(Exchange& x, Known& known) const {
    auto getting = own_token(x, known);
    auto got = co_await getting;
    if (!got) co_return std::unexpected(got.error());
    Outbound request =
        question("GET", known.resource_endpoint + "?" +
                            plugin::form_of({{"uri", std::string(x.request.path)}, {"matchingUri", "true"}}));
    request.headers.emplace_back("Authorization", "Bearer " + known.access_token);
    auto asking = x.worker.ask(std::move(request));
    const auto answer = co_await asking;
    const auto list = json_of(answer, known.resource_endpoint);
    if (!list) co_return std::unexpected(list.error());
    std::vector<std::string> ids;
    if (list->is_array()) {
      for (const Value& id : list->as_array())
        if (id.is_string()) ids.push_back(id.as_string());
    }
    co_return ids;
  }

  static Verdict unavailable(const Error& error) {
    log::error("authz-keycloak: {}", error.what);
    return plugin::reply(503, error.what);
  }

  VerdictTask evaluate(Exchange& x, std::string token) const {
    auto& known = x.local<Known>(*this);
    auto discovering = discover(x, known);
    auto discovered = co_await discovering;
    if (!discovered) co_return unavailable(discovered.error());
    std::vector<std::string> permissions = config_.permissions;
    if (config_.lazy_load_paths) {
      auto finding = resources(x, known);
      auto found = co_await finding;
      if (!found) co_return unavailable(found.error());
      permissions = std::move(*found);
    }
    if (permissions.empty() && config_.policy_enforcement_mode == Enforcement::enforcing)
      co_return denied(403, R"({"error":"access_denied","error_description":"not_authorized"})");
    if (known.token_endpoint.empty()) co_return plugin::reply(503, "Unable to determine token endpoint.");
    OutboundFields arguments{
        {"grant_type", config_.grant_type}, {"audience", config_.client_id}, {"response_mode", "decision"}};
    for (std::string& permission : permissions) {
      if (config_.http_method_as_scope)
        permission.append(permission.contains('#') ? ", " : "#").append(x.request.method);
      arguments.emplace_back("permission", permission);
    }
    Outbound request = form(known.token_endpoint, arguments);
    request.headers.emplace_back("Authorization", std::move(token));
    auto asking = x.worker.ask(std::move(request));
    const auto answer = co_await asking;
    if (!answer) co_return unavailable(answer.error());
    if (answer->status < 300) co_return plugin::pass();  // a redirect is no permission
    if (answer->status < 400) co_return denied(403, answer->body);
    if (answer->status != 401 && answer->status != 403)
      log::error("authz-keycloak: {} answered {}", known.token_endpoint, answer->status);
    co_return denied(answer->status, answer->body);
  }

  Verdict denied(int status, std::string body) const {
    if (status == 403 && !config_.access_denied_redirect_uri.empty()) {
      auto verdict = plugin::reply(307);
      verdict->headers.emplace_back("Location", config_.access_denied_redirect_uri);
      return verdict;
    }
    return plugin::reply(status, std::move(body));
  }

  VerdictTask grant_by_password(Exchange& x) const {
    auto reading = plugin::whole_body(x, config_.max_req_body_size);
    const auto body = co_await reading;
    if (!body) co_return plugin::reply(body.error().kind == ErrorKind::limit ? 413 : 503);
    const Value arguments = plugin::arguments_value(*body);
    for (const std::string_view name : {"username", "password"}) {
      if (arguments.text(name).empty())
        co_return plugin::reply_message(422, std::string(name) + " is missing.");
    }
    auto& known = x.local<Known>(*this);
    auto discovering = discover(x, known);
    auto discovered = co_await discovering;
    if (!discovered) co_return unavailable(discovered.error());
    if (known.token_endpoint.empty())
      co_return plugin::reply_message(503, "Unable to determine token endpoint.");
    auto asking =
        x.worker.ask(form(known.token_endpoint, {{"grant_type", "password"},
                                                 {"client_id", config_.client_id},
                                                 {"client_secret", config_.client_secret},
                                                 {"username", std::string(arguments.text("username"))},
                                                 {"password", std::string(arguments.text("password"))}}));
    const auto answer = co_await asking;
    if (!answer) {
      log::error("authz-keycloak: {}", answer.error().what);
      co_return plugin::reply_message(401, "Accessing token endpoint URL failed.");
    }
    const auto token = json_of(answer, known.token_endpoint);
    if (!token) co_return plugin::reply_message(401, "Could not decode JSON from response.");
    auto verdict = plugin::reply(answer->status, answer->body);
    verdict->content_type = "application/json";
    co_return verdict;
  }

  Config config_;
};

extern constexpr plugin::PluginType authz_keycloak = plugin::plugin<AuthzKeycloak>({
    .name = "authz-keycloak",
    .summary = "Asks Keycloak whether the bearer of a token may do what the request does.",
    .priority = 2000,
    .example = R"({"token_endpoint": "http://127.0.0.1:8080/realms/r/protocol/openid-connect/token",
                   "client_id": "gateway", "permissions": ["orders#read"]})",
});

}  // namespace sluice::plugins
