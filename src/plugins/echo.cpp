// SPDX-License-Identifier: Apache-2.0
#include "plugin/body_filter.h"
#include "plugin/exchange.h"
#include "plugin/header_edits.h"

namespace sluice::plugins {

using plugin::Exchange;

// Puts text around a response's body, or in its place: to try things out.
class Echo final : public plugin::Plugin {
 public:
  struct Config {
    std::string before_body, after_body;
    std::optional<std::string> body;
    plugin::HeaderMap<plugin::HeaderText> headers;

    void describe(json::Fields& field) {
      field("before_body", before_body, "Text before the body.");
      field("body", body, "The body instead of the upstream's.");
      field("after_body", after_body, "Text behind the body.");
      field("headers", headers, "Header fields to set.").min_properties(1);
      field.dropped("auth_value", "was taken out of this plugin in APISIX 2.7; key-auth knows consumers");
      field.at_least_one_of({"before_body", "body", "after_body"});
      field.open();
    }
  };

  explicit Echo(Config config) : config_(std::move(config)) {
    if (config_.body) whole_ = config_.before_body + *config_.body + config_.after_body;
  }

  void response(Exchange& x) const override {
    plugin::forget_body(x.response);
    for (const auto& [name, value] : config_.headers) x.response.headers.set(name, value.text);
  }

  void body(Exchange& x) const override {
    http::Response& response = x.response;
    response.content_length = http::unknown_length;
    if (config_.body) {
      response.body = nullptr;
      response.content = whole_;
    } else if (response.body == nullptr) {
      response.content = x.arena.join(config_.before_body, response.content, config_.after_body);
    } else {
      response.body =
          x.arena.make<plugin::FramedBody>(*response.body, config_.before_body, config_.after_body);
    }
  }

 private:
  Config config_;
  std::string whole_;
};

extern constexpr plugin::PluginType echo = plugin::plugin<Echo>({
    .name = "echo",
    .summary = "Puts text around a response's body, or in its place.",
    .priority = 412,
    .example = R"({"before_body": "before the body ", "headers": {"X-Echo": "yes"}})",
});

}  // namespace sluice::plugins
