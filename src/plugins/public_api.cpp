// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plugin/exchange.h"

namespace sluice::plugins {

using plugin::Exchange;

// Lets an endpoint of another plugin out on a route; without one nobody reaches them.
class PublicApi final : public plugin::Plugin {
 public:
  struct Config {
    std::optional<std::string> uri;

    void describe(json::Fields& field) {
      field("uri", uri, "The endpoint's path (/apisix/batch-requests); the request's when absent.");
      field.open();
    }
  };

  explicit PublicApi(Config config) : uri_(std::move(config.uri)) {}

  plugin::VerdictTask access(Exchange& x) const override {
    if (const auto* apis = x.worker.public_apis) {
      const std::string_view path = uri_ ? std::string_view(*uri_) : x.request.path;
      const auto found = std::ranges::find_if(
          *apis, [&](const auto& api) { return api.path == path && api.method == x.request.method; });
      if (found != apis->end()) return found->answer(x);
    }
    return plugin::reply(404);
  }

 private:
  std::optional<std::string> uri_;
};

extern constexpr plugin::PluginType public_api = plugin::plugin<PublicApi>({
    .name = "public-api",
    .summary = "Lets an endpoint of another plugin out on a route.",
    .priority = 501,
    .example = R"({"uri": "/apisix/batch-requests"})",
});

}  // namespace sluice::plugins
