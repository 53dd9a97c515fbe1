// SPDX-License-Identifier: Apache-2.0
#include "base/cidr.h"
#include "plugin/exchange.h"
#include "plugin/leaf.h"

namespace sluice::plugins {

using plugin::Exchange;

// Admits or refuses a request, or a connection below HTTP, by the client's address.
class IpRestriction final : public plugin::Plugin {
 public:
  struct Config {
    std::vector<Cidr> whitelist, blacklist;
    std::string message = "Your IP address is not allowed";
    int status = 403;

    void describe(json::Fields& field) {
      field("whitelist", whitelist, "Networks to admit; every other address is refused.").min_items(1);
      field("blacklist", blacklist, "Networks to refuse; every other address is admitted.").min_items(1);
      field("message", message, "What the refusal says.").length(1, 1024);
      field("response_code", status, "Status of the refusal.").range(403, 404);
      field.exactly_one_of({"whitelist", "blacklist"});
      field.open();
    }
  };

  explicit IpRestriction(const Config& config)
      : networks_(config.whitelist.empty() ? config.blacklist : config.whitelist),
        listed_are_admitted_(!config.whitelist.empty()),
        message_(config.message),
        status_(config.status) {}

  plugin::VerdictTask access(Exchange& x) const override {
    if (networks_.contains(x.remote.address) == listed_are_admitted_) return plugin::pass();
    return plugin::reply_message(status_, message_);
  }
  plugin::VerdictTask preread(Exchange& x) const override { return access(x); }

 private:
  CidrSet networks_;
  bool listed_are_admitted_;
  std::string message_;
  int status_;
};

extern constexpr plugin::PluginType ip_restriction = plugin::plugin<IpRestriction>({
    .name = "ip-restriction",
    .summary = "Admits or refuses a request, or a connection of a stream route, by the client's address.",
    .priority = 3000,
    .example = R"({"whitelist": ["10.0.0.0/8", "127.0.0.1"]})",
});

}  // namespace sluice::plugins
