// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "plugin/exchange.h"
#include "plugin/forwarded.h"
#include "plugin/leaf.h"

namespace sluice::plugins {

using plugin::Exchange;

// Takes the client's address from a variable of the request.
class RealIp final : public plugin::Plugin {
 public:
  struct Config {
    std::string source;
    std::vector<Cidr> trusted_addresses;
    bool recursive = false;

    void describe(json::Fields& field) {
      field("source", source,
            "The variable that holds the address, and maybe a port: http_x_forwarded_for (its last entry), "
            "arg_realip.")
          .required().length(1, 256);
      field("trusted_addresses", trusted_addresses, "Peers that are believed; without any all are.")
          .min_items(1);
      field("recursive", recursive,
            "Of X-Forwarded-For the last entry that is not in trusted_addresses counts.");
      field.open();
    }
  };

  explicit RealIp(const Config& config)
      : source_(plugin::find_variable(config.source)),
        is_list_(config.source == "http_x_forwarded_for"),
        trusted_(config.trusted_addresses),
        trusts_some_(!config.trusted_addresses.empty()),
        recursive_(config.recursive) {}

  // What is no address, or has a bad port, changes nothing.
  plugin::VerdictTask rewrite(Exchange& x) const override {
    if (trusts_some_ && !trusted_.contains(x.remote.address)) return plugin::pass();
    const auto written = source_.read(x);
    if (!written) return plugin::pass();
    const auto found = is_list_ ? plugin::last_forwarded(*written, recursive_ ? &trusted_ : nullptr)
                                : Endpoint::parse_loosely(trim(*written));
    if (found) x.set_remote(found->port == 0 ? Endpoint{found->address, x.remote.port} : *found);
    return plugin::pass();
  }

 private:
  plugin::Variable source_;
  bool is_list_;
  CidrSet trusted_;
  bool trusts_some_, recursive_;
};

extern constexpr plugin::PluginType real_ip = plugin::plugin<RealIp>({
    .name = "real-ip",
    .summary = "Takes the client's address from a variable of the request.",
    .priority = 23000,
    .example = R"({"source": "http_x_forwarded_for", "trusted_addresses": ["127.0.0.0/8"]})",
});

}  // namespace sluice::plugins
