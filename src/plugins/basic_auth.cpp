// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "plugin/authentication.h"

namespace sluice::plugins {

using plugin::Exchange;

// Knows a consumer by name and password in the Authorization header (RFC 7617).
class BasicAuth final : public plugin::Plugin {
 public:
  struct Config {
    plugin::AuthConfig auth{"basic"};

    void describe(json::Fields& field) {
      auth.describe(field);
      field.open();
    }
  };

  struct Consumer {
    std::string username, password;

    void describe(json::Fields& field) {
      field("username", username, "The name; no two consumers share one.").required();
      field("password", password, "The password.").required().secret();
      field.open();
      if (field.reading())
        field.check(username.find(':') == std::string::npos, "username",
                    "holds a colon, which no name can in this kind of authentication (RFC 7617 §2)");
    }
    std::string credential() const { return username; }
  };

  explicit BasicAuth(const Config& config) : auth_("basic-auth", "Basic", config.auth) {}

  plugin::VerdictTask rewrite(Exchange& x) const override {
    const plugin::Identity identity = find(x);
    if (auth_.hides_credentials()) x.request.headers.remove(http::HeaderId::authorization);
    return auth_.conclude(x, identity);
  }

 private:
  // A password may hold colons; the name may not (RFC 7617 §2).
  static plugin::Identity find(Exchange& x) {
    const auto* field = x.request.headers.find(http::HeaderId::authorization);
    if (field == nullptr) return {nullptr, "Missing authorization in request"};
    std::string plain;
    constexpr std::string_view scheme = "basic ";
    if (!starts_with_ignoring_case(field->value, scheme) ||
        !base64_decode(trim(field->value.substr(scheme.size())), plain))
      return {nullptr, "Invalid authorization in request"};
    const std::size_t colon = plain.find(':');
    if (colon == std::string::npos) return {nullptr, "Invalid authorization in request"};
    const std::string_view all = plain;
    const auto* consumer = x.find_consumer<BasicAuth>(all.substr(0, colon));
    if (consumer == nullptr) return {nullptr, "Invalid user authorization"};
    const auto* own = Exchange::consumer_config<BasicAuth>(*consumer);
    if (own == nullptr || !equals_in_constant_time(own->password, all.substr(colon + 1)))
      return {nullptr, "Invalid user authorization"};
    return {consumer, {}};
  }

  plugin::Authentication auth_;
};

extern constexpr plugin::PluginType basic_auth = plugin::plugin<BasicAuth>({
    .name = "basic-auth",
    .summary = "Knows a consumer by name and password in the Authorization header.",
    .priority = 2520,
    .example = R"({"hide_credentials": true})",
    .authenticates = true,
});

}  // namespace sluice::plugins
