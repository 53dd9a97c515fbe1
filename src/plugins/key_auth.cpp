// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
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
      field.open();
    }
  };

  struct Consumer {
    std::string key;

    void describe(json::Fields& field) {
      field("key", key, "The consumer's key; no two consumers share one.").required().secret();
      field.open();
    }
    std::string credential() const { return key; }
  };

  explicit KeyAuth(Config config)
      : config_(std::move(config)), argument_(plugin::find_variable("arg_" + config_.query)) {}

  plugin::VerdictTask rewrite(Exchange& x) const override {
    const Found found = find_key(x);
    if (found.where != Where::nowhere) {
      if (const auto* consumer = x.find_consumer<KeyAuth>(found.key)) {
        if (config_.hide_credentials) hide(x, found.where);
        x.authenticate(*consumer);
        return plugin::pass();
      }
    }
    if (config_.anonymous_consumer.empty())
      return refuse(found.where == Where::nowhere ? "Missing API key in request"
                                                  : "Invalid API key in request");
    return let_in_anonymously(x);
  }

 private:
  enum class Where : std::uint8_t { nowhere, header, query };
  struct Found {
    std::string_view key;
    Where where = Where::nowhere;
  };

  Found find_key(Exchange& x) const {
    if (const auto* header = x.request.headers.find(config_.header)) return {header->value, Where::header};
    if (const auto argument = argument_.read(x)) return {*argument, Where::query};
    return {};
  }

  void hide(Exchange& x, Where where) const {
    if (where == Where::header) x.request.headers.remove(config_.header);
    else plugin::remove_query_argument(x, config_.query);
  }

  plugin::Verdict let_in_anonymously(Exchange& x) const {
    if (config_.hide_credentials) {  // a key that nobody has is not the upstream's business either
      hide(x, Where::header);
      hide(x, Where::query);
    }
    const auto* consumer = x.config->consumer_by_name(config_.anonymous_consumer);
    if (consumer == nullptr) {
      log::error("key-auth: the anonymous_consumer {} does not exist", config_.anonymous_consumer);
      return refuse("Invalid user authorization");
    }
    x.authenticate(*consumer);
    return plugin::pass();
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
