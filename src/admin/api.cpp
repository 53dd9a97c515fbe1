// SPDX-License-Identifier: Apache-2.0
#include "admin/api.h"

#include <fmt/core.h>

#include "admin/describe_api.h"
#include "admin/node_status.h"
#include "admin/shapes_v2.h"
#include "base/log.h"
#include "base/text.h"

namespace sluice::admin {
namespace {

constexpr std::string_view prefix = "/apisix/admin";

http::Reply preflight() {
  http::Reply reply{200, {}, "text/plain", {}};
  reply.headers = {{"Access-Control-Allow-Origin", "*"},
                   {"Access-Control-Allow-Methods", "POST, GET, PUT, OPTIONS, DELETE, PATCH"},
                   {"Access-Control-Max-Age", "3600"},
                   {"Access-Control-Allow-Headers", "*"},
                   {"Access-Control-Allow-Credentials", "true"}};
  return reply;
}

http::Reply refuse_key(std::string_view why) {
  return json_reply(401, json::Value::object({{"error_msg", "failed to check token"}, {"description", why}}));
}

http::Reply too_many_tries() {
  auto reply = error_reply(429, "too many wrong keys from this address: wait a second and try again");
  reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  for (std::string_view pair : Split(cookies, ';')) {
    pair = trim(pair);
    auto equals = pair.find('=');
    if (equals != pair.npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
  }
  return {};
}

// A browser does it for a page that is not this server's: it says so itself, or it asks a name that somebody
// has made to mean this machine.
bool is_by_page(const http::Request& request) {
  if (request.headers.has(http::HeaderId::origin) || request.headers.has(http::HeaderId::sec_fetch_site))
    return true;
  std::string_view host = request.host;
  if (host == "localhost") return false;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  return !address || !address->is_loopback();
}

http::Reply refuse_resource(std::string_view path) {
  if (path.empty()) return error_reply(404, "not found");
  return error_reply(404, fmt::format("Unsupported resource type: {}", path));
}

// Not about one resource, or one kind of them.
bool is_about_the_whole(const Call& call) {
  const auto first = call.segments.empty() ? std::string_view() : std::string_view(call.segments[0]);
  return first == "transactions" || first == "history" || first == "status" || first == "data_key";
}

bool writes_resources(const Call& call) {
  return call.method != http::Method::get && (call.segments.empty() || call.segments[0] != "data_key");
}

bool is_about_configs(const Call& call) { return call.segments.size() == 1 && call.segments[0] == "configs"; }

std::size_t body_max_of(const Call& call) {
  if (is_about_configs(call)) return Configs::body_max;
  return !call.segments.empty() && call.segments[0] == "transactions" ? Transactions::body_max : body_max;
}

// POST /history/REVISION/rollback
bool rolls_back(const Call& call) {
  return call.method == http::Method::post && call.segments.size() == 3 && call.segments[2] == "rollback";
}

// `?ttl=` seconds.
std::optional<http::Reply> read_ttl(Call& call) {
  const auto* given = call.arguments.find("ttl");
  if (!given) return std::nullopt;
  constexpr double seconds_max = 315'360'000;  // ten years
  const auto seconds = parse_number(*given);
  if (!seconds) return error_reply(400, "invalid argument ttl: should be a number");
  if (*seconds <= 0 || *seconds > seconds_max)
    return error_reply(
        400,
        fmt::format("invalid argument ttl: should be more than 0 and at most {:.0f} seconds", seconds_max));
  call.ttl = std::chrono::ceil<Duration>(std::chrono::duration<double>(*seconds));
  return std::nullopt;
}

bool is_routed(http::Method method) {
  using http::Method;
  return method == Method::get || method == Method::put || method == Method::post || method == Method::del ||
         method == Method::patch;
}

}  // namespace

Api::Api(store::Store& store, const plugin::Validator& validator, plugin::Status& status, const Clock& clock,
         Settings settings)
    : settings_(std::move(settings)), doorman_(clock), status_(status), validator_(validator),
      desk_{store, validator, clock, settings_.stream_routes, {}, settings_.ask_secrets},
      verbs_(desk_, status), history_(store), transactions_(desk_, history_, status),
      configs_(store, validator, status, clock) {}

http::Reply Api::decorate(http::Reply reply) const {
  reply.headers.emplace_back("X-API-VERSION", settings_.version == Settings::Version::v2 ? "v2" : "v3");
  if (settings_.cors) {
    reply.headers.emplace_back("Access-Control-Allow-Origin", "*");
    reply.headers.emplace_back("Access-Control-Allow-Credentials", "true");
    reply.headers.emplace_back("Access-Control-Expose-Headers", "*");
    reply.headers.emplace_back("Access-Control-Max-Age", "3600");
  }
  return reply;
}

// Argument, then header, then cookie.
Access Api::access(const http::Request& request, const Arguments& arguments) const {
  static const Key anybody{"anonymous", {}, Role::admin};
  if (!settings_.keys.required()) return {&anybody, &anybody, {}};
  std::string_view given;
  if (const auto* argument = arguments.find("api_key")) given = *argument;
  if (given.empty()) given = request.headers.get("x-api-key");
  if (given.empty()) given = cookie_value(request.headers.get(http::HeaderId::cookie), "x_api_key");
  return settings_.keys.check(given, request.method_id == http::Method::get, is_by_page(request));
}

async::Task<http::Reply> Api::handle(http::Request& request, IpAddress peer) {
  if (settings_.restricted && !settings_.allow.contains(peer)) {
    doorman_.tell(request.method, request.path, peer, "the address is not in deployment.admin.allow_admin");
    return error_reply(
        403, fmt::format("{} may not use the Admin API: see deployment.admin.allow_admin", peer.text()));
  }
  bool inside = request.path.starts_with(prefix) &&
                (request.path.size() == prefix.size() || request.path[prefix.size()] == '/');
  if (!inside) return decorate(error_reply(404, "not found"));
  if (settings_.cors && request.method_id == http::Method::options) return preflight();
  Call call;
  call.segments = split_path(request.path.substr(prefix.size()));
  if (call.segments.empty() && request.method_id == http::Method::head) return decorate({200, {}, {}, {}});
  const bool configs = settings_.whole && is_about_configs(call);
  if (!is_routed(request.method_id) && !(configs && request.method_id == http::Method::head))
    return decorate(error_reply(404, "not found"));
  call.method = request.method_id;
  call.method_name = request.method;
  call.arguments = Arguments::parse(request.query);
  call.content_type = request.headers.get(http::HeaderId::content_type);
  call.accept = request.headers.get(http::HeaderId::accept);
  call.digest = request.headers.get("x-digest");
  call.version = request.headers.get("x-api-version");
  auto allowed = access(request, call.arguments);
  if (settings_.keys.required() && doorman_.judge(peer, allowed.known) == Doorman::Answer::wait) {
    doorman_.tell(request.method, request.path, peer, "too many wrong keys from there");
    return decorate(too_many_tries());
  }
  if (!allowed.key) {
    doorman_.tell(request.method, request.path, peer, allowed.why);
    return decorate(refuse_key(allowed.why));
  }
  call.author = {allowed.key->name, peer.text()};
  return run(request, std::move(call));
}

async::Task<http::Reply> Api::run(http::Request& request, Call call) {
  const auto most = body_max_of(call);
  auto body = co_await read_body(request, most);
  if (!body) co_return decorate(error_reply(400, "invalid request body: " + body.error().what));
  call.body = std::move(*body);
  if (auto described = describe(validator_, status_, call)) co_return decorate(std::move(*described));
  if (settings_.whole && is_about_configs(call)) {
    auto told = co_await configs_.handle(std::move(call));
    co_return decorate(std::move(told));
  }
  if (settings_.whole && writes_resources(call))
    co_return decorate(error_reply(405, "resources are written all at once here: PUT /apisix/admin/configs"));
  if (is_about_the_whole(call)) {
    auto told = co_await run_on_the_whole(std::move(call));
    co_return decorate(std::move(told));
  }
  auto reply = co_await run_on_resources(std::move(call));
  co_return decorate(std::move(reply));
}

bool Api::speaks_v2(const Call& call) const {
  return settings_.version == Settings::Version::v2 && call.version != "v3";
}

async::Task<http::Reply> Api::run_on_resources(Call call) {
  const bool v2 = speaks_v2(call);
  const std::string kind = call.segments.empty() ? std::string() : call.segments.front();
  if (v2) read_as_v2(call);
  call.place = find_place(call.segments, call.method);
  if (call.place.name == "stream_routes" && !settings_.stream_routes)
    co_return error_reply(400, "stream mode is disabled, can not add stream routes");
  if (!call.place.resource) co_return refuse_resource(call.place.name);
  if (auto refusal = read_ttl(call)) co_return std::move(*refusal);
  const auto asked = asked_v2(call, kind);
  auto reply = co_await verbs_.run(std::move(call));
  if (!v2) co_return reply;
  co_return to_v2(asked, std::move(reply));
}

async::Task<http::Reply> Api::run_on_the_whole(Call call) {
  const auto& first = call.segments[0];
  if (first == "transactions") return transactions_.run(std::move(call));
  if (first == "status") return node_status(desk_.store, status_, std::move(call));
  if (first == "data_key") return change_key(std::move(call));
  if (rolls_back(call)) return transactions_.roll_back(std::move(call));
  return history_.handle(std::move(call));
}

// POST /data_key
async::Task<http::Reply> Api::change_key(Call call) {
  if (call.method != http::Method::post || call.segments.size() != 1) co_return error_reply(404, "not found");
  auto changed = co_await desk_.store.change_key();
  if (!changed) co_return error_reply(changed.error().kind == ErrorKind::not_found ? 400 : 503,
                                      changed.error().what);
  log::warn("Admin API: the key that seals secrets was changed by {}", call.author.name);
  co_return json_reply(200, json::Value::object({{"changed", true}}));
}

}  // namespace sluice::admin
