// SPDX-License-Identifier: Apache-2.0
#include <unordered_map>
#include <unordered_set>

#include "base/hash.h"
#include "plugin/exchange.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

enum class Subject : std::uint8_t { consumer_name, service_id, route_id, consumer_group_id };
inline json::Names enum_names(Subject) {
  static constexpr std::string_view names[]{"consumer_name", "service_id", "route_id", "consumer_group_id"};
  return names;
}

struct AllowedMethods {
  std::string user;
  std::vector<std::string> methods;

  void describe(json::Fields& field) {
    field("user", user, "Whom the methods are allowed to: a value of type.");
    field("methods", methods, "Methods allowed.")
        .min_items(1).items()
        .one_of({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"});
    field.open();
  }
};

}  // namespace

// Admits or refuses a request by its consumer, the consumer's group, its service or its route.
class ConsumerRestriction final : public plugin::Plugin {
 public:
  struct Config {
    Subject type = Subject::consumer_name;
    std::vector<std::string> blacklist, whitelist;
    std::vector<AllowedMethods> allowed_by_methods;
    int rejected_code = 403;
    std::string rejected_msg;

    void describe(json::Fields& field) {
      field("type", type, "What is compared with the lists.");
      field("blacklist", blacklist, "Who is refused.").min_items(1);
      field("whitelist", whitelist, "Who is admitted; everybody else is refused.").min_items(1);
      field("allowed_by_methods", allowed_by_methods,
            "Who may use which methods; who is not named may use all, and who is in whitelist too.");
      field("rejected_code", rejected_code, "Status of a refusal.").range(200, 999);
      field("rejected_msg", rejected_msg, "What a refusal says; \"The TYPE is forbidden.\" when absent.");
      field.at_least_one_of({"blacklist", "whitelist", "allowed_by_methods"});
      field.open();
    }
  };

  explicit ConsumerRestriction(const Config& config)
      : type_(config.type),
        blacklist_(config.blacklist.begin(), config.blacklist.end()),
        whitelist_(config.whitelist.begin(), config.whitelist.end()),
        rejected_code_(config.rejected_code),
        rejected_msg_(config.rejected_msg.empty() ? "The " + type_name() + " is forbidden."
                                                  : config.rejected_msg) {
    for (const auto& [user, methods] : config.allowed_by_methods)
      methods_.try_emplace(user, methods.begin(), methods.end());
  }

  plugin::VerdictTask access(Exchange& x) const override {
    const std::string_view who = subject(x);
    if (who.empty())
      return plugin::reply_message(
          401, "The request is rejected, please check the " + type_name() + " for this request");
    return admits(who, x.request.method) ? plugin::pass()
                                         : plugin::reply_message(rejected_code_, rejected_msg_);
  }

 private:
  using Names = std::unordered_set<std::string, StringHash, std::equal_to<>>;

  std::string type_name() const { return std::string(enum_names(type_)[static_cast<std::size_t>(type_)]); }

  std::string_view subject(const Exchange& x) const {
    switch (type_) {
      case Subject::consumer_name: return x.consumer_name;
      case Subject::consumer_group_id:
        return x.consumer == nullptr ? std::string_view() : x.consumer->group_id;
      case Subject::service_id: return x.route == nullptr ? std::string_view() : x.route->service_id;
      case Subject::route_id: return x.route == nullptr ? std::string_view() : x.route->id;
    }
    return {};
  }

  bool admits(std::string_view who, std::string_view method) const {
    if (blacklist_.contains(who)) return false;
    if (!whitelist_.empty()) return whitelist_.contains(who);
    const auto own = methods_.find(who);
    return own == methods_.end() || own->second.contains(method);
  }

  Subject type_;
  Names blacklist_, whitelist_;
  std::unordered_map<std::string, Names, StringHash, std::equal_to<>> methods_;
  int rejected_code_;
  std::string rejected_msg_;
};

extern constexpr plugin::PluginType consumer_restriction = plugin::plugin<ConsumerRestriction>({
    .name = "consumer-restriction",
    .summary = "Admits or refuses a request by its consumer, group, service or route.",
    .priority = 2400,
    .example = R"({"whitelist": ["jack"], "rejected_code": 403})",
});

}  // namespace sluice::plugins
