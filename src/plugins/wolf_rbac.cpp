// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "base/log.h"
#include "base/text.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/held_body.h"
#include "plugin/outbound.h"
#include "plugin/values.h"
#include "plugin/variable.h"

namespace sluice::plugins {
namespace {

using json::Value;
using plugin::Exchange;
using plugin::Outbound;
using plugin::Verdict;
using plugin::VerdictTask;

// "V1#appid#token": what a client of wolf carries.
struct RbacToken {
  std::string_view application, token;
};
std::optional<RbacToken> parse_token(std::string_view text) {
  constexpr std::string_view version = "V1#";
  if (!text.starts_with(version)) return std::nullopt;
  text.remove_prefix(version.size());
  const std::size_t end = text.find('#');
  if (end == std::string_view::npos) return std::nullopt;
  return RbacToken{text.substr(0, end), text.substr(end + 1)};
}

std::optional<std::string_view> find_token(Exchange& x) {
  static const plugin::Variable argument = plugin::find_variable("arg_rbac_token"),
                                cookie = plugin::find_variable("cookie_x-rbac-token");
  if (const auto value = argument.read(x)) {
    std::string decoded;
    percent_decode(*value, decoded);
    return x.arena.copy(decoded);
  }
  if (const auto* field = x.request.headers.find(http::HeaderId::authorization)) return field->value;
  if (const auto* field = x.request.headers.find("x-rbac-token")) return field->value;
  return cookie.read(x);
}

Verdict message(int status, std::string_view text) { return plugin::reply_message(status, text); }

}  // namespace

// Asks a wolf server (https://github.com/iGeeky/wolf) whether the user of a token may do what the request
// does.
class WolfRbac final : public plugin::Plugin {
 public:
  struct Config {
    std::string appid = "unset", server = "http://127.0.0.1:12180", header_prefix = "X-";
    bool ssl_verify = true;

    void describe(json::Fields& field) {
      field("appid", appid, "Application in wolf; says something in a consumer's config only.");
      field("server", server,
            "wolf's address, http:// or https://; says something in a consumer's config only.");
      field("header_prefix", header_prefix,
            "Begins the names of the fields that tell the user: UserId, Username, Nickname.");
      field("ssl_verify", ssl_verify, "Verifies wolf's certificate.");
      field.open();
      plugin::check_url(field, "server", server);
      if (field.reading())
        field.check(http::valid_name(header_prefix + "UserId"), "header_prefix", "makes no name of a header");
    }
    std::string credential() const { return appid; }
  };
  using Consumer = Config;

  explicit WolfRbac(const Config&) {}

  VerdictTask rewrite(Exchange& x) const override {
    const auto text = find_token(x);
    if (!text) return message(401, "Missing rbac token in request");
    const auto token = parse_token(*text);
    if (!token) return message(401, "invalid rbac token: parse failed");
    const auto* consumer = x.find_consumer<WolfRbac>(token->application);
    if (consumer == nullptr) return message(401, "Invalid appid in rbac token");
    return ask(x, *consumer, *token);
  }

  static VerdictTask log_in(Exchange& x);
  static VerdictTask change_password(Exchange& x);
  static VerdictTask user_info(Exchange& x);

 private:
  static constexpr Duration patience = std::chrono::seconds(10);

  static Outbound access_check(Exchange& x, const Config& own, const RbacToken& token) {
    Outbound request;
    request.url = own.server + "/wolf/rbac/access_check?" +
                  plugin::form_of({{"appID", std::string(token.application)},
                                   {"resName", std::string(x.request.path)},
                                   {"action", std::string(x.request.method)},
                                   {"clientIP", std::string(x.remote_text)}});
    request.headers = {{"x-rbac-token", std::string(token.token)},
                       {"Content-Type", "application/json; charset=utf-8"}};
    request.timeout = patience;
    request.verify = own.ssl_verify;
    return request;
  }

  static VerdictTask ask(Exchange& x, const plugin::Consumer& consumer, RbacToken token) {
    constexpr int attempts = 3;
    const Config& own = *Exchange::consumer_config<WolfRbac>(consumer);
    for (const std::string_view name : {"UserId", "Username", "Nickname"})
      x.request.headers.remove(own.header_prefix + std::string(name));
    Result<plugin::OutboundReply> answer;
    for (int attempt = 1; attempt <= attempts; ++attempt) {
      if (attempt > 1)
        co_await x.worker.loop.sleep_until(x.worker.loop.now() + std::chrono::milliseconds(100));
      auto asking = x.worker.ask(access_check(x, own, token));
      answer = co_await asking;
      if (!answer || answer->status < 500) break;
    }
    if (!answer) {
      log::error("wolf-rbac: {}", answer.error().what);
      co_return message(500, "request to wolf-server failed, err:" + answer.error().what);
    }
    if (answer->status >= 500)
      co_return message(500, "request to wolf-server failed, status:" + std::to_string(answer->status));
    co_return judge(x, consumer, own, *answer);
  }

  static Verdict judge(Exchange& x, const plugin::Consumer& consumer, const Config& own,
                       const plugin::OutboundReply& answer) {
    const auto body = json::parse(answer.body);
    if (!body) {
      log::error("wolf-rbac: {} answered what is no JSON", own.server);
      return message(answer.status == 200 ? 500 : answer.status,
                     "check permission failed! parse response json failed!");
    }
    const Value* data = body->find("data");
    const Value* user = data == nullptr ? nullptr : data->find("userInfo");
    if (user != nullptr && user->is_object()) tell_user(x, own, *user);
    if (answer.status == 200) {
      x.authenticate(consumer);
      return plugin::pass();
    }
    Value refusal = Value::object({{"message", body->text("reason")}});
    if (user != nullptr && user->is_object()) {
      refusal.set("username", user->text("username"));
      refusal.set("nickname", user->text("nickname", user->text("username")));
    }
    return plugin::reply_json(answer.status, std::move(refusal));
  }

  // To both sides: the upstream now, the client when the response comes.
  static void tell_user(Exchange& x, const Config& own, const Value& user) {
    const Value* id = user.find("id");
    std::string nickname;
    percent_encode(user.text("nickname", user.text("username")), nickname);
    const std::pair<std::string_view, std::string> told[] = {
        {"UserId", id == nullptr ? "" : id->is_string() ? id->as_string() : json::dump(*id)},
        {"Username", std::string(user.text("username"))},
        {"Nickname", nickname}};
    auto& kept = x.state<Told>(told_key);
    for (std::size_t i = 0; i < std::size(told); ++i) {
      const auto name = x.arena.join(own.header_prefix, told[i].first);
      const auto value = x.arena.copy(told[i].second);
      x.request.headers.set(name, value);
      kept.fields[i] = {name, value};
    }
  }

  struct Told {
    std::array<std::pair<std::string_view, std::string_view>, 3> fields;
  };
  static constexpr char told_key = 0;

 public:
  void response(Exchange& x) const override {
    const auto* told = x.existing_state<Told>(told_key);
    if (told == nullptr) return;
    for (const auto& [name, value] : told->fields) x.response.headers.set(name, value);
  }
};

namespace {

// The arguments of a call, JSON or a form; null when they are neither.
async::Task<Value> arguments_of(Exchange& x) {
  constexpr std::size_t bytes_max = 64 * 1024;
  auto reading = plugin::whole_body(x, bytes_max);
  const auto body = co_await reading;
  if (!body) co_return Value();
  const auto type = x.request.headers.get(http::HeaderId::content_type);
  if (!contains_ignoring_case(type, "application/json")) co_return plugin::arguments_value(*body, SIZE_MAX);
  auto parsed = json::parse(*body);
  co_return parsed ? std::move(*parsed) : Value();
}

Outbound question(const WolfRbac::Config& own, std::string method, std::string_view path, std::string body) {
  Outbound request;
  request.method = std::move(method);
  request.url = own.server + std::string(path);
  request.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  request.body = std::move(body);
  request.timeout = std::chrono::seconds(5);
  request.verify = own.ssl_verify;
  return request;
}

// wolf's answer when it is a success, else a reply that says no more than that it failed.
Result<Value> understood(const Result<plugin::OutboundReply>& answer, Verdict& failure) {
  constexpr std::string_view sentence = "request to wolf-server failed!";
  auto body = answer && answer->status == 200 ? json::parse(answer->body)
                                              : Result<Value>(fail(ErrorKind::protocol, "no answer"));
  if (!body) {
    log::error("wolf-rbac: {}",
               !answer ? answer.error().what : "wolf answered " + std::to_string(answer->status));
    failure = message(500, sentence);
    return body;
  }
  const Value* good = body->find("ok");
  if (good == nullptr || !good->is_bool() || !good->as_bool()) {
    log::error("wolf-rbac: wolf refused: {}", body->text("reason"));
    failure = message(200, sentence);
    return fail(ErrorKind::protocol, "refused");
  }
  return body;
}

}  // namespace

VerdictTask WolfRbac::log_in(Exchange& x) {
  auto reading = arguments_of(x);
  const Value arguments = co_await reading;
  if (!arguments.is_object()) co_return message(400, "invalid request");
  const auto application = arguments.text("appid");
  if (application.empty()) co_return message(400, "appid is missing");
  const auto* consumer = x.find_consumer<WolfRbac>(application);
  if (consumer == nullptr) co_return message(400, "appid not found");
  const Config& own = *Exchange::consumer_config<WolfRbac>(*consumer);
  auto asking = x.worker.ask(question(own, "POST", "/wolf/rbac/login.rest", json::dump(arguments)));
  const auto answer = co_await asking;
  Verdict failure;
  const auto body = understood(answer, failure);
  if (!body) co_return failure;
  Value told = Value::object();
  if (const Value* data = body->find("data")) {
    told.set("rbac_token", "V1#" + std::string(application) + "#" + std::string(data->text("token")));
    if (const Value* user = data->find("userInfo")) told.set("user_info", *user);
  }
  co_return plugin::reply_json(200, std::move(told));
}

namespace {

// A call of a user who is known already: with what the token names.
struct Caller {
  const WolfRbac::Config* own = nullptr;
  std::string token;
  Verdict refusal;
};
Caller find_caller(Exchange& x) {
  const auto text = find_token(x);
  if (!text) return {nullptr, {}, message(401, "Missing rbac token in request")};
  const auto token = parse_token(*text);
  if (!token) return {nullptr, {}, message(401, "invalid rbac token: parse failed")};
  const auto* consumer = x.find_consumer<WolfRbac>(token->application);
  if (consumer == nullptr) return {nullptr, {}, message(400, "appid not found")};
  return {Exchange::consumer_config<WolfRbac>(*consumer), std::string(token->token), nullptr};
}

}  // namespace

VerdictTask WolfRbac::change_password(Exchange& x) {
  auto caller = find_caller(x);
  if (caller.own == nullptr) co_return std::move(caller.refusal);
  auto reading = arguments_of(x);
  const Value arguments = co_await reading;
  if (!arguments.is_object()) co_return message(400, "invalid request");
  Outbound request = question(*caller.own, "POST", "/wolf/rbac/change_pwd", json::dump(arguments));
  request.headers.emplace_back("x-rbac-token", caller.token);
  auto asking = x.worker.ask(std::move(request));
  const auto answer = co_await asking;
  Verdict failure;
  if (!understood(answer, failure)) co_return failure;
  co_return message(200, "success to change password");
}

VerdictTask WolfRbac::user_info(Exchange& x) {
  auto caller = find_caller(x);
  if (caller.own == nullptr) co_return std::move(caller.refusal);
  Outbound request = question(*caller.own, "GET", "/wolf/rbac/user_info", "");
  request.headers.emplace_back("x-rbac-token", caller.token);
  auto asking = x.worker.ask(std::move(request));
  const auto answer = co_await asking;
  Verdict failure;
  const auto body = understood(answer, failure);
  if (!body) co_return failure;
  const Value* data = body->find("data");
  const Value* user = data == nullptr ? nullptr : data->find("userInfo");
  co_return plugin::reply_json(200, Value::object({{"user_info", user == nullptr ? Value() : *user}}));
}

namespace {
constexpr plugin::PublicApi apis[] = {
    {"POST", "/apisix/plugin/wolf-rbac/login", &WolfRbac::log_in},
    {"PUT", "/apisix/plugin/wolf-rbac/change_pwd", &WolfRbac::change_password},
    {"GET", "/apisix/plugin/wolf-rbac/user_info", &WolfRbac::user_info},
};
}  // namespace

extern constexpr plugin::PluginType wolf_rbac = plugin::plugin<WolfRbac>({
    .name = "wolf-rbac",
    .summary = "Asks a wolf server whether the user of a token may do what the request does.",
    .priority = 2555,
    .example = R"({"server": "http://127.0.0.1:12180", "appid": "restful"})",
    .authenticates = true,
    .apis = apis,
});

}  // namespace sluice::plugins
