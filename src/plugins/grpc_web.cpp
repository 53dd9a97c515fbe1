// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "base/text.h"
#include "plugin/body_filter.h"
#include "plugin/exchange.h"
#include "plugin/held_body.h"

namespace sluice::plugins {
namespace {

using http::HeaderId;
using plugin::Exchange;

// How a client wants its messages; nullopt: it does not speak gRPC-Web.
enum class Form : std::uint8_t { binary, text };
std::optional<Form> form_of(std::string_view content_type) {
  const auto type = trim(content_type.substr(0, content_type.find(';')));
  if (type == "application/grpc-web" || type == "application/grpc-web+proto") return Form::binary;
  if (type == "application/grpc-web-text" || type == "application/grpc-web-text+proto") return Form::text;
  return std::nullopt;
}

// Trailers as the last message of a body, marked by its first bit (grpc/doc/PROTOCOL-WEB.md).
std::string trailer_message(const http::Headers* trailers) {
  const auto* status = trailers != nullptr ? trailers->find("grpc-status") : nullptr;
  std::string text = "grpc-status:" + std::string(status != nullptr ? status->value : "2") + "\r\n";
  text += "grpc-message:";
  text += status != nullptr ? trailers->get("grpc-message") : "upstream grpc status not received";
  text += "\r\n";
  if (status != nullptr) {
    for (const auto& field : *trailers) {
      const bool told = http::equal_ignoring_case(field.name, "grpc-status") ||
                        http::equal_ignoring_case(field.name, "grpc-message");
      if (!told) text.append(field.name).append(":").append(field.value).append("\r\n");
    }
  }
  std::string message = "\x80";
  for (int shift = 24; shift >= 0; shift -= 8) message += static_cast<char>(text.size() >> shift);
  return message + text;
}

// Pieces as they come, in Base64 each when the client wants text, and what stood in the trailers behind them.
class WebBody final : public http::Body {
 public:
  // `inner` may be null: there is no body, and all that is to be told is in `trailers`.
  WebBody(http::Body* inner, Form form) : inner_(inner), form_(form) {}

  async::Task<Result<std::string_view>> next() override {
    if (ended_) co_return Result<std::string_view>(std::string_view());
    std::string_view bytes;
    if (inner_ != nullptr && !inner_->ended()) {
      auto pulled = inner_->next();
      auto piece = co_await pulled;
      if (!piece) co_return piece;
      bytes = *piece;
    }
    piece_.clear();
    add(bytes);
    if (bytes.empty() || inner_->ended()) {
      ended_ = true;
      add(trailer_message(inner_ != nullptr ? inner_->trailers() : nullptr));
    }
    co_return Result<std::string_view>(std::string_view(piece_));
  }
  bool ended() const override { return ended_; }

 private:
  void add(std::string_view bytes) {
    if (form_ == Form::binary) {
      piece_.append(bytes);
      return;
    }
    std::string encoded;
    base64_encode(bytes, encoded);
    piece_ += encoded;
  }
  http::Body* inner_;
  Form form_;
  std::string piece_;
  bool ended_ = false;
};

}  // namespace

// Lets browsers call gRPC services: their messages come in the body of an ordinary request, in binary or in
// Base64, and go to the upstream as gRPC; what the server says in trailers, which scripts cannot read, goes
// back as a last message of the body.
class GrpcWeb final : public plugin::Plugin {
 public:
  struct Config {
    std::int64_t max_req_body_size = static_cast<std::int64_t>(plugin::body_held_default);
    std::string cors_allow_headers = "content-type,x-grpc-web,x-user-agent";

    void describe(json::Fields& field) {
      field("max_req_body_size", max_req_body_size, "Bytes of a request's body; a larger one is refused.")
          .at_least(1);
      field("cors_allow_headers", cors_allow_headers,
            "Request headers that scripts of other origins may send (Access-Control-Allow-Headers), by "
            "commas.");
      field.open();
    }
  };

  explicit GrpcWeb(Config config) : config_(std::move(config)) {}

  plugin::VerdictTask access(Exchange& x) const override {
    auto& call = x.state<Call>(*this);
    call.type = x.arena.copy(x.request.headers.get(HeaderId::content_type));
    if (x.request.method_id == http::Method::options) return plugin::reply(204);
    if (x.request.method_id != http::Method::post) {
      log::error("grpc-web: request method: `{}` invalid", x.request.method);
      return plugin::reply(405);
    }
    const auto form = form_of(call.type);
    if (!form) {
      log::error("grpc-web: request Content-Type: `{}` invalid", call.type);
      return plugin::reply(400);
    }
    call.form = *form;
    return translate(x, call);
  }

  void response(Exchange& x) const override {
    const auto* call = x.existing_state<Call>(*this);
    auto& headers = x.response.headers;
    if (x.request.method_id == http::Method::options) {
      headers.set("Access-Control-Allow-Methods", "POST");
      headers.set("Access-Control-Allow-Headers", config_.cors_allow_headers);
    }
    const auto* origin = headers.find("Access-Control-Allow-Origin");
    if (origin == nullptr || origin->raw) headers.set("Access-Control-Allow-Origin", "*");
    headers.set("Access-Control-Expose-Headers", "grpc-message,grpc-status");
    if (call == nullptr || !call->translated) return;
    headers.set("Content-Type", call->type);
    headers.remove(HeaderId::content_length);
  }

  void body(Exchange& x) const override {
    const auto* call = x.existing_state<Call>(*this);
    http::Response& response = x.response;
    if (call == nullptr || !call->translated || x.source != plugin::ResponseSource::upstream) return;
    // Trailers alone came as headers, and are sent as such: nothing stands in the body.
    if (response.headers.has("grpc-status")) return;
    response.body = x.arena.make<WebBody>(response.body, call->form);
    response.content = {};
    response.content_length = http::unknown_length;
  }

 private:
  struct Call {
    std::string_view type;  // the client's Content-Type
    Form form = Form::binary;
    bool translated = false;
  };

  plugin::VerdictTask translate(Exchange& x, Call& call) const {
    std::string_view body;
    auto holding = plugin::whole_body(x, static_cast<std::size_t>(config_.max_req_body_size));
    auto held = co_await holding;
    if (!held) {
      log::error("grpc-web: failed to read request body, err: {}", held.error().what);
      co_return plugin::reply(held.error().kind == ErrorKind::limit ? 413 : 400);
    }
    body = *held;
    if (call.form == Form::text) {
      std::string bytes;
      if (!decode(body, bytes)) {
        log::error("grpc-web: failed to decode request body");
        co_return plugin::reply(400);
      }
      plugin::replace_body(x, std::move(bytes));
    }
    for (const auto& parameter : std::span(x.parameters, x.parameter_count)) {
      if (parameter.name == ":ext" && !parameter.value.empty()) ask_for(x, parameter.value);
    }
    x.request.headers.set("Content-Type", "application/grpc");
    call.translated = true;
    co_return plugin::pass();
  }

  // Several texts may stand one behind the other, each with its padding.
  static bool decode(std::string_view text, std::string& bytes) {
    while (!text.empty()) {
      const auto padding = text.find('=');
      auto end = std::min(padding, text.size());
      while (end < text.size() && text[end] == '=') ++end;
      std::string part;
      if (!base64_decode(text.substr(0, end), part)) return false;
      bytes += part;
      text.remove_prefix(end);
    }
    return true;
  }

  // What the route's pattern has behind its prefix is what the service is called.
  static void ask_for(Exchange& x, std::string_view rest) {
    std::string target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
    if (!x.request.query.empty()) target.append("?").append(x.request.query);
    x.set_target(target);
  }

  Config config_;
};

extern constexpr plugin::PluginType grpc_web = plugin::plugin<GrpcWeb>({
    .name = "grpc-web",
    .summary = "Lets browsers call gRPC services, by gRPC-Web.",
    .priority = 505,
    .example = R"({"cors_allow_headers": "content-type,x-grpc-web,x-user-agent,authorization"})",
});

}  // namespace sluice::plugins
