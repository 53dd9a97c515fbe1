// SPDX-License-Identifier: Apache-2.0
#include "plugin/body_filter.h"
#include "plugin/exchange.h"

namespace sluice::plugins {

using plugin::Exchange;

// Bounds the body of a request. What nginx_config.http.client_max_body_size refuses stays refused.
class ClientControl final : public plugin::Plugin {
 public:
  struct Config {
    std::int64_t max_body_size = 0;

    void describe(json::Fields& field) {
      field("max_body_size", max_body_size, "Bytes a request's body may have; 0: no limit of this plugin's.")
          .at_least(0);
      field.open();
    }
  };

  explicit ClientControl(const Config& config) : bytes_max_(config.max_body_size) {}

  // A body of unknown length is refused when it has come too far.
  plugin::VerdictTask rewrite(Exchange& x) const override {
    http::Request& request = x.request;
    if (bytes_max_ == 0 || request.body == nullptr) return plugin::pass();
    if (request.content_length > bytes_max_) return plugin::reply(413);
    if (request.content_length == http::unknown_length)
      request.body = x.arena.make<plugin::CappedBody>(*request.body, static_cast<std::size_t>(bytes_max_));
    return plugin::pass();
  }

 private:
  std::int64_t bytes_max_;
};

extern constexpr plugin::PluginType client_control = plugin::plugin<ClientControl>({
    .name = "client-control",
    .summary = "Bounds the body of a request.",
    .priority = 22000,
    .example = R"({"max_body_size": 1048576})",
});

}  // namespace sluice::plugins
