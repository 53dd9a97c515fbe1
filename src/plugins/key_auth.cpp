// SPDX-License-Identifier: Apache-2.0
#include "plugin/exchange.h"
#include "plugin/query.h"
#include "plugin/variable.h"

namespace sluice::plugins {

using plugin::Exchange;

// Knows a consumer by a key in a header or in the query.
class KeyAuth final : public plugin::Plugin {
 public:
  struct Config {
    std::string header = "apikey";
    std::string query = "apikey";
    bool hide_credentials = false;
    std::string anonymous_consumer;
    std::string realm = "key";

    void describe(json::Fields& field) {
      field("header", header, "The header that carries the key; it is looked at first.");
      field("query", query, "The query argument that carries the key.");
      field("hide_credentials", hide_credentials, "Takes the key off before the upstream sees it.");
      field("anonymous_consumer", anonymous_consumer,
            "Whom a request without a valid key counts as; absent, it is refused.")
          .length(1, 256);
      field("realm", realm, "What the WWW-Authenticate header of a refusal names (RFC 9110 §11.6.1).")
          .length(1, 128)
          .pattern(R"(^[ -!#-[\]-~]+$)");
    }
  };

  struct Consumer {
    std::string key;

    void describe(json::Fields& field) {
      field("key", key, "The consumer's key; no two consumers share one.").required().secret();
    }
    std::string credential() const { return key; }
  };

  explicit KeyAuth(Config config)
      : config_(std::move(config)), argument_(plugin::find_variable("arg_" + config_.query)) {}

  plugin::VerdictTask rewrite(Exchange& x) const override {
    const Found found = find_key(x);
    const plugin::Consumer* consumer = found.key.empty() ? nullptr : x.find_consumer<KeyAuth>(found.key);
    if (consumer == nullptr && !config_.anonymous_consumer.empty())
      consumer = x.config->consumer_by_name(config_.anonymous_consumer);
    if (consumer == nullptr)
      return refuse(found.key.empty() ? "Missing API key in request" : "Invalid API key in request");
    x.authenticate(*consumer);
    if (config_.hide_credentials) hide(x, found);
    return plugin::pass();
  }

 private:
  struct Found {
    std::string_view key;
    bool in_header = false;
  };

  Found find_key(Exchange& x) const {
    const auto* header = x.request.headers.find(config_.header);
    if (header != nullptr && !header->value.empty()) return {header->value, true};
    return {argument_.read(x).value_or(std::string_view()), false};
  }

  void hide(Exchange& x, const Found& found) const {
    if (found.in_header) x.request.headers.remove(config_.header);
    else plugin::remove_query_argument(x, config_.query);
  }

  plugin::Verdict refuse(std::string_view why) const {
    auto verdict = plugin::reply_message(401, why);
    verdict->headers.emplace_back("WWW-Authenticate", "apikey realm=\"" + config_.realm + "\"");
    return verdict;
  }

  Config config_;
  plugin::Variable argument_;
};

extern constexpr plugin::PluginType key_auth = plugin::plugin<KeyAuth>({
    .name = "key-auth",
    .summary = "Knows a consumer by a key in a header or in the query.",
    .priority = 2500,
    .example = R"({"header": "apikey"})",
    .authenticates = true,
});

}  // namespace sluice::plugins
