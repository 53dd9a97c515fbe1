// SPDX-License-Identifier: Apache-2.0
#include "plugin/authentication.h"
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
    plugin::AuthConfig auth{"key"};

    void describe(json::Fields& field) {
      field("header", header, "The header that carries the key; it is looked at first.");
      field("query", query, "The query argument that carries the key.");
      auth.describe(field);
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

  explicit KeyAuth(const Config& config)
      : header_(config.header),
        query_(config.query),
        argument_(plugin::find_variable("arg_" + config.query)),
        auth_("key-auth", "apikey", config.auth) {}

  plugin::VerdictTask rewrite(Exchange& x) const override {
    const Found found = find_key(x);
    plugin::Identity identity;
    if (found.where == Where::nowhere) identity.why = "Missing API key in request";
    else if ((identity.consumer = x.find_consumer<KeyAuth>(found.key)) == nullptr)
      identity.why = "Invalid API key in request";
    if (auth_.hides_credentials()) hide(x, found.where, identity.consumer != nullptr);
    return auth_.conclude(x, identity);
  }

 private:
  enum class Where : std::uint8_t { nowhere, header, query };
  struct Found {
    std::string_view key;
    Where where = Where::nowhere;
  };

  Found find_key(Exchange& x) const {
    if (const auto* header = x.request.headers.find(header_)) return {header->value, Where::header};
    if (const auto argument = argument_.read(x)) return {*argument, Where::query};
    return {};
  }

  // A key that nobody has is not the upstream's business either, wherever it stands.
  void hide(Exchange& x, Where where, bool known) const {
    if (!known || where == Where::header) x.request.headers.remove(header_);
    if (!known || where == Where::query) plugin::remove_query_argument(x, query_);
  }

  http::FieldName header_;
  std::string query_;
  plugin::Variable argument_;
  plugin::Authentication auth_;
};

extern constexpr plugin::PluginType key_auth = plugin::plugin<KeyAuth>({
    .name = "key-auth",
    .summary = "Knows a consumer by a key in a header or in the query.",
    .priority = 2500,
    .example = R"({"header": "apikey"})",
    .authenticates = true,
});

}  // namespace sluice::plugins
