// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "plugin/exchange.h"
#include "plugin/resources.h"

namespace sluice::plugins {

using plugin::Exchange;

// The plugin to copy from. Of its fields only `ip` and `port` do something: they send the request there. The
// others show what a field may be, as they do in APISIX, whose configurations may carry them.
class ExamplePlugin final : public plugin::Plugin {
 public:
  struct Config {
    double i = 0;
    std::optional<std::string> s;
    std::vector<json::Value> t;
    std::optional<std::string> ip;
    std::optional<std::uint16_t> port;

    void describe(json::Fields& field) {
      field("i", i, "A number; nothing is done with it.").required().at_least(0);
      field("s", s, "A text; nothing is done with it.");
      field("t", t, "A list of anything; nothing is done with it.").min_items(1);
      field("ip", ip, "Where requests go instead of the route's upstream: a name or an address.");
      field("port", port, "The port there; absent: 80.").at_least(1);
      field.open();
    }
  };

  struct Metadata {
    double ikey = 0;
    std::string skey;

    void describe(json::Fields& field) {
      field("ikey", ikey, "A number; nothing is done with it.").required().at_least(0);
      field("skey", skey, "A text; nothing is done with it.").required();
      field.open();
    }
  };

  explicit ExamplePlugin(Config config) {
    if (!config.ip) return;
    model::Node node;
    node.host = std::move(*config.ip);
    node.port = config.port;
    plugin::UpstreamUse there;
    there.written.emplace().nodes.list.push_back(std::move(node));
    uses_.push_back(std::move(there));
  }

  std::span<const plugin::UpstreamUse> upstreams() const override { return uses_; }

  plugin::VerdictTask access(Exchange& x) const override {
    if (!uses_.empty()) x.send_to(*this, 0);
    return plugin::pass();
  }

 private:
  std::vector<plugin::UpstreamUse> uses_;
};

extern constexpr plugin::PluginType example_plugin = plugin::plugin<ExamplePlugin>({
    .name = "example-plugin",
    .summary = "The plugin to copy from: sends requests to one address.",
    .priority = 0,
    .example = R"({"i": 1, "ip": "127.0.0.1", "port": 1981})",
});

}  // namespace sluice::plugins
