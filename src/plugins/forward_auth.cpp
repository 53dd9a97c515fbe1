// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "plugin/exchange.h"
#include "plugin/header_edits.h"
#include "plugin/held_body.h"
#include "plugin/outbound.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using plugin::Outbound;

enum class Asking : std::uint8_t { get, post };
inline json::Names enum_names(Asking) {
  static constexpr std::string_view names[]{"GET", "POST"};
  return names;
}

}  // namespace

// Asks another service whether a request may go on.
class ForwardAuth final : public plugin::Plugin {
 public:
  struct Config {
    std::string uri;
    Asking request_method = Asking::get;
    std::vector<std::string> request_headers, upstream_headers, client_headers;
    plugin::HeaderMap<plugin::HeaderText> extra_headers;
    bool allow_degradation = false, ssl_verify = true;
    int status_on_error = 403;
    std::int64_t timeout = 3000;
    std::uint64_t max_req_body_size = plugin::body_held_default;
    plugin::KeepAliveConfig keepalive;

    void describe(json::Fields& field) {
      field("uri", uri, "The service to ask, http:// or https://.").required();
      field("request_method", request_method, "How it is asked; with POST it gets the request's body.");
      field("request_headers", request_headers, "Fields of the request that it gets, beside X-Forwarded-*.");
      field("upstream_headers", upstream_headers,
            "Fields of its answer that the upstream gets, never what the client sent under these names.");
      field("client_headers", client_headers,
            "Fields of its answer that the client gets when it is refused.");
      field("extra_headers", extra_headers, "Fields that it gets, with $variables.")
          .min_properties(1)
          .key_pattern("^[^:]+$");
      field("allow_degradation", allow_degradation, "Lets requests pass when the service does not answer.");
      field("status_on_error", status_on_error, "Status of the answer when the service does not answer.")
          .range(200, 599);
      field("ssl_verify", ssl_verify, "Verifies the service's certificate.");
      field("timeout", timeout, "Milliseconds the service has to answer.").range(1, 60000);
      field("max_req_body_size", max_req_body_size,
            "Bytes of body read to send it; a larger one is answered 413.")
          .at_least(1);
      keepalive.describe(field);
      field.open();
      plugin::check_url(field, "uri", uri);
    }
  };

  explicit ForwardAuth(Config config) : config_(std::move(config)), extra_(config_.extra_headers) {}

  plugin::VerdictTask access(Exchange& x) const override {
    Outbound request = question(x);
    if (config_.request_method == Asking::post) {
      auto reading = plugin::whole_body(x, config_.max_req_body_size);
      const auto body = co_await reading;
      if (!body) co_return plugin::reply(413);
      request.body = *body;
    }
    auto asking = x.worker.ask(std::move(request));
    const auto answer = co_await asking;
    if (answer) co_return judge(x, *answer);
    log::warn("forward-auth: {}", answer.error().what);
    co_return config_.allow_degradation ? plugin::pass() : plugin::reply(config_.status_on_error);
  }

 private:
  Outbound question(Exchange& x) const {
    Outbound request;
    request.method = config_.request_method == Asking::post ? "POST" : "GET";
    request.url = config_.uri;
    request.timeout = std::chrono::milliseconds(config_.timeout);
    request.verify = config_.ssl_verify;
    auto& fields = request.headers;
    fields.emplace_back("X-Forwarded-Proto", x.request.secure ? "https" : "http");
    fields.emplace_back("X-Forwarded-Method", x.request.method);
    fields.emplace_back("X-Forwarded-Host", x.request.host);
    fields.emplace_back("X-Forwarded-Uri", x.request.target);
    fields.emplace_back("X-Forwarded-For", x.remote_text);
    const auto encoding = x.request.headers.get(http::HeaderId::content_encoding);
    if (config_.request_method == Asking::post && !encoding.empty())
      fields.emplace_back("Content-Encoding", encoding);
    extra_.add_to(fields, x);
    for (const std::string& name : config_.request_headers) {
      const auto value = x.request.headers.joined(name);
      if (value && plugin::find_field(fields, name) == nullptr) fields.emplace_back(name, *value);
    }
    return request;
  }

  plugin::Verdict judge(Exchange& x, const plugin::OutboundReply& answer) const {
    constexpr int refused_from = 300;
    if (answer.status < refused_from) {
      for (const std::string& name : config_.upstream_headers) {
        if (const auto* value = plugin::find_field(answer.headers, name))
          x.request.headers.set(name, x.arena.copy(*value));
        else x.request.headers.remove(name);
      }
      return plugin::pass();
    }
    auto verdict = plugin::reply(answer.status, answer.body);
    if (const auto* type = plugin::find_field(answer.headers, "Content-Type")) verdict->content_type = *type;
    for (const std::string& name : config_.client_headers) {
      const auto* value = plugin::find_field(answer.headers, name);
      if (value != nullptr && !plugin::describes_body(name)) verdict->headers.emplace_back(name, *value);
    }
    return verdict;
  }

  Config config_;
  plugin::ReplyFields extra_;
};

extern constexpr plugin::PluginType forward_auth = plugin::plugin<ForwardAuth>({
    .name = "forward-auth",
    .summary = "Asks another service whether a request may go on.",
    .priority = 2002,
    .example = R"({"uri": "http://127.0.0.1:9000/auth", "request_headers": ["Authorization"],
                   "upstream_headers": ["X-User-ID"], "client_headers": ["Location"]})",
});

}  // namespace sluice::plugins
