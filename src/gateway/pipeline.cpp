// SPDX-License-Identifier: Apache-2.0
#include "gateway/pipeline.h"

#include "base/log.h"
#include "gateway/client_address.h"
#include "gateway/client_certificate.h"
#include "gateway/forward.h"
#include "gateway/grpc.h"
#include "gateway/replies.h"
#include "gateway/session.h"
#include "gateway/tunnel.h"
#include "gateway/worker.h"
#include "plugin/request_body.h"

namespace sluice::gateway {
namespace {

using plugin::Exchange;
using plugin::Phase;
using plugin::Plugin;
using plugin::Verdict;
using plugin::VerdictTask;

constexpr std::size_t parameters_max = 16;

// What one exchange holds on to, in the order in which it is let go.
struct Serving {
  Serving(Session& the_session, http::ServerSide& client, Worker& worker)
      : session(the_session),
        pinned(worker.pin()),
        x(worker, client.peer(), client.local()),
        forward(x, worker, client) {
    x.config = pinned->snapshot;
    x.connection_number = the_session.number();
    x.connection_requests = client.requests() + 1;
    x.started_wall = worker.loop.wall();
    x.remote_text = x.client_text = the_session.client_text();
    x.server_port_text = the_session.port_text();
    x.tls = client.tls();
    x.proxy_header = the_session.proxy_header();
  }
  Serving(const Serving&) = delete;
  // Also when the client hangs up and the frame is destroyed: what was begun is logged.
  ~Serving() {
    record();
    forward.release();
    static_cast<Worker&>(x.worker).unpin(pinned);
  }

  // The log phase, once.
  void record() {
    if (!matched) return;
    matched = false;
    auto& worker = static_cast<Worker&>(x.worker);
    x.response_size = sent.bytes;
    x.response_body_size = sent.body_bytes;
    x.request_size = x.request.head_size + forward.request_body_size();
    gateway::run(pinned->snapshot->global, Phase::log, &Plugin::log, x);
    if (chain != nullptr) gateway::run(*chain, Phase::log, &Plugin::log, x);
    worker.access_log().write(x);
    ++worker.counters.requests;
  }

  Session& session;
  Pinned* pinned;
  Exchange x;
  Forward forward;
  const RouteTarget* target = nullptr;
  const Chain* chain = nullptr;  // the route's, or the consumer's over it
  bool matched = false;          // a request was read and has not been logged
  http::ServerSide::Sent sent;
};

// apisix.delete_uri_tail_slash: "/a/" is routed as "/a"; the upstream is asked for what the client wrote.
void drop_tail_slash(Exchange& x) {
  if (x.request.path.size() > 1 && x.request.path.ends_with('/')) x.request.path.remove_suffix(1);
}

// apisix.match_uri_encoded_slash: routes are compared with a path whose encoded slashes separate nothing.
std::string_view path_with_encoded_slashes(Exchange& x) {
  const std::string_view raw = x.request.target.substr(0, x.request.target.find('?'));
  std::string_view kept;
  const bool any = raw.contains("%2F") || raw.contains("%2f");
  return any && http::normalize_path(raw, x.arena, kept, http::EncodedSlash::kept) ? kept : x.request.path;
}

void forget_match(Serving& s) {
  s.target = nullptr;
  s.chain = nullptr;
  s.x.route = nullptr;
  s.x.matched_uri = s.x.matched_host = {};
  s.x.parameter_count = 0;
}

void match(Serving& s) {
  Exchange& x = s.x;
  const Settings& settings = s.session.worker().settings();
  if (settings.delete_uri_tail_slash) drop_tail_slash(x);
  const auto path = settings.match_encoded_slash ? path_with_encoded_slashes(x) : x.request.path;
  const RouteQuestion question{x.request.method_id, x.request.host, x.request.authority, path,
                               x.remote.address, &x};
  RouteMatch found;
  const std::span parameters(x.arena.array<Exchange::Parameter>(parameters_max), parameters_max);
  if (!s.pinned->snapshot->router.match(question, found, parameters)) return forget_match(s);
  s.target = found.route->target();
  s.chain = &s.target->chain;
  x.route = &s.target->info;
  x.matched_uri = found.uri_pattern();
  x.matched_host = found.host_pattern(question);
  x.parameters = parameters.data();
  x.parameter_count = found.parameter_count;
}

// Holds the body for whoever looks into it: conditions of routes, which are then asked again, and plugins.
VerdictTask look_into_body(Serving& s) {
  const bool for_routes = s.x.wants_body;
  auto held = co_await plugin::hold_body(s.x);
  if (!held) co_return plugin::reply(status_of(held.error()));
  if (for_routes) match(s);
  co_return plugin::pass();
}

bool wants_body(const Serving& s) {
  return s.x.wants_body || s.pinned->snapshot->global.looks_into_body() ||
         (s.chain != nullptr && s.chain->looks_into_body());
}

// What ends a request before its route's plugins run.
Verdict refusal(const Serving& s) {
  if (const int all = s.pinned->snapshot->refusal; all != 0) return plugin::reply(all);
  if (s.target == nullptr) return no_route();
  if (s.target->refusal != 0) return plugin::reply(s.target->refusal);
  return plugin::pass();
}

Verdict no_upstream(const Serving& s) {
  const auto& chosen = s.x.chosen;
  if (chosen.plugin == nullptr) return gateway::no_upstream(*s.target);
  return plugin::reply(
      500, "failed to fetch upstream info by upstream id: " + chosen.plugin->upstreams()[chosen.upstream].id);
}

// Where the request goes: what a plugin chose, else the route's upstream.
const Destination* destination_of(const Serving& s) {
  const auto& chosen = s.x.chosen;
  if (chosen.plugin == nullptr) return s.pinned->snapshot->destination(*s.target);
  const Way* way = s.chain->way(chosen);
  if (way == nullptr) way = s.pinned->snapshot->global.way(chosen);
  return way == nullptr ? nullptr : s.pinned->snapshot->destination(*way);
}

// ---- a request that plugins take part in: the steps until it is answered, in their order ----

const Chain& global(const Serving& s) { return s.pinned->snapshot->global; }

VerdictTask run_step(const Chain& chain, Phase phase, Step step, Serving& s) {
  return chain.runs_in(phase) ? run(chain, phase, step, s.x) : plugin::pass();
}

VerdictTask hold_body(Serving& s) { return wants_body(s) ? look_into_body(s) : plugin::pass(); }
VerdictTask rewrite_globally(Serving& s) {
  return run_step(global(s), Phase::rewrite, &Plugin::rewrite, s);
}
VerdictTask admit_globally(Serving& s) { return run_step(global(s), Phase::access, &Plugin::access, s); }

VerdictTask rewrite(Serving& s) {
  if (auto verdict = refusal(s); verdict != nullptr) return verdict;
  return run_step(*s.chain, Phase::rewrite, &Plugin::rewrite, s);
}

// When a consumer was found, the rewrite phase once more, for what only the consumer or its group brought.
VerdictTask rewrite_for_consumer(Serving& s) {
  if (s.x.consumer == nullptr) return plugin::pass();
  if (s.x.consumer->refusal != 0) return plugin::reply(s.x.consumer->refusal);
  const Chain& before = *s.chain;
  s.chain = &static_cast<Worker&>(s.x.worker).chain_for(*s.pinned, *s.target, *s.x.consumer, s.x.arena);
  if (s.chain == &before) return plugin::pass();
  return run(*s.chain, Phase::rewrite, &Plugin::rewrite, s.x, &before);
}

VerdictTask admit(Serving& s) { return run_step(*s.chain, Phase::access, &Plugin::access, s); }

VerdictTask prepare_globally(Serving& s) {
  if (destination_of(s) == nullptr) return no_upstream(s);
  return run_step(global(s), Phase::before_proxy, &Plugin::before_proxy, s);
}
VerdictTask prepare(Serving& s) {
  return run_step(*s.chain, Phase::before_proxy, &Plugin::before_proxy, s);
}
VerdictTask ask(Serving& s) {
  const Destination* destination = destination_of(s);
  return destination == nullptr ? VerdictTask(no_upstream(s)) : s.forward.ask(*s.target, *destination);
}

constexpr VerdictTask (*steps[])(Serving&) = {hold_body, rewrite_globally, admit_globally,
                                              rewrite, rewrite_for_consumer, admit,
                                              prepare_globally, prepare, ask};
constexpr std::size_t first_of_route = 3;  // where nothing is done globally

// The steps from one on that has to wait.
VerdictTask wait_and_go_on(Serving& s, std::size_t next, VerdictTask waiting) {
  for (;; ++next) {
    auto verdict = co_await waiting;
    if (verdict != nullptr || next == std::size(steps)) co_return verdict;
    waiting = steps[next](s);
  }
}

// `answer` where plugins take part. Steps that need not wait cost no frame.
VerdictTask answer_with_plugins(Serving& s) {
  const bool globally = !global(s).runs_nothing() || wants_body(s);
  for (std::size_t next = globally ? 0 : first_of_route; next < std::size(steps);) {
    auto task = steps[next++](s);
    if (!task.await_ready())
      return next == std::size(steps) ? std::move(task) : wait_and_go_on(s, next, std::move(task));
    if (auto verdict = task.await_resume(); verdict != nullptr) return verdict;
  }
  return plugin::pass();
}

// Whether a certificate is wanted of the client, and it has shown none that is good here.
bool is_unknown_client(const Serving& s) {
  const CertificateNames& certificates = s.pinned->snapshot->certificates;
  return s.x.tls != nullptr && certificates.any_asks() &&
         !client_may_ask(s.x, certificates, s.session.worker().settings().fallback_server_name);
}

// Finds the reply to one request, or fills x.response with the upstream's. Every way a request can end is a
// return in this function, or with plugins in the one above.
VerdictTask answer(Serving& s) {
  if (is_unknown_client(s)) return plugin::reply(400);
  match(s);
  const bool plugins =
      !s.pinned->snapshot->global.runs_nothing() || (s.chain != nullptr && !s.chain->runs_nothing());
  if (plugins || s.x.wants_body) return answer_with_plugins(s);
  if (auto verdict = refusal(s); verdict != nullptr) return verdict;
  return ask(s);
}

// To a client of HTTP/2 that asks for a tunnel (RFC 8441), every 2xx would say that there is one.
bool asks_for_tunnel(const http::Request& request) { return request.upgrade && request.major_version == 2; }

// A peer has answered: first those plugins have a look at the head that want it as it came.
void run_received(Serving& s) {
  run(s.pinned->snapshot->global, Phase::received, &Plugin::received, s.x);
  if (s.chain != nullptr) run(*s.chain, Phase::received, &Plugin::received, s.x);
}

void run_response_phases(Serving& s) {
  const Chain& global = s.pinned->snapshot->global;
  tell_upstream_status(s.x, s.session.worker().settings().show_upstream_status);
  run(global, Phase::response, &Plugin::response, s.x);
  if (s.chain != nullptr) run(*s.chain, Phase::response, &Plugin::response, s.x);
  run(global, Phase::body, &Plugin::body, s.x);
  if (s.chain != nullptr) run(*s.chain, Phase::body, &Plugin::body, s.x);
}

// Answers a request that could not be read, and closes.
async::Task<> refuse(Serving& s, http::ServerSide& client) {
  const http::Parsed& refusal = client.refusal();
  log::info("{}: request refused with {}: {}", client.peer().text(), refusal.status, refusal.why);
  client.stop_after_this();
  use_reply(s.x, *plugin::reply(refusal.status));
  auto sent = co_await client.send(s.x.request, s.x.response, s.sent);
  s.record();
  if (sent) co_await client.close();
}

}  // namespace

async::Task<bool> serve(Session& session, http::ServerSide& client) {
  Serving s(session, client, session.worker());
  Exchange& x = s.x;
  const auto head = co_await client.read_head(x.request);
  if (head == http::ServerSide::Head::closed) co_return false;
  s.matched = true;
  find_client_address(x, session.worker().settings());
  if (head == http::ServerSide::Head::refused) {
    co_await refuse(s, client);
    co_return false;
  }

  auto verdict = co_await answer(s);
  if (verdict != nullptr) use_reply(x, *verdict);
  else run_received(s);
  if (asks_for_tunnel(x.request) && x.response.status / 100 == 2) use_reply(x, *plugin::reply(501));
  if (x.response.status == status_client_gone) co_return false;
  run_response_phases(s);
  const int status = x.response.status;
  if (x.source == plugin::ResponseSource::gateway && is_grpc_call(x.request)) answer_grpc(x);
  auto sent = co_await client.send(x.request, x.response, s.sent);
  x.response.status = status;  // what is logged and counted
  if (!s.forward.upgraded()) s.forward.finish();
  if (!sent) {
    log::info("{} {}: the response broke off: {}", x.request.method, x.request.target, sent.error().what);
    co_return false;
  }
  if (s.forward.upgraded()) {
    if (x.request.major_version == 2)
      co_await tunnel(static_cast<http::Http2Stream&>(client), s.forward, s.sent);
    else
      co_await tunnel(session.connection(), s.forward, s.sent);
    co_return false;
  }
  s.record();  // before the buffers its views stand in are used again
  const bool again = client.finish(x.request);
  if (!again) co_await client.close();
  co_return again;
}

}  // namespace sluice::gateway
