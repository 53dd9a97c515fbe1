// SPDX-License-Identifier: Apache-2.0
#include "base/compression.h"
#include "base/log.h"
#include "base/text.h"
#include "plugin/body_filter.h"
#include "plugin/exchange.h"
#include "plugin/header_edits.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

enum class Scope : std::uint8_t { once, global };
inline json::Names enum_names(Scope) {
  static constexpr std::string_view names[]{"once", "global"};
  return names;
}

struct Filter {
  std::string regex, replace, options = "jo";
  Scope scope = Scope::once;

  void describe(json::Fields& field) {
    field("regex", regex, "What to look for in the body.").required().length(1, Regex::pattern_bytes_max);
    field("replace", replace, "What to put there; $1 is a group of the pattern.").required();
    field("scope", scope, "Whether the first match is replaced or every one.");
    field("options", options, "Flags of the pattern: i, s, m, x, u, a; j and o mean nothing.");
    field.open();
    if (!field.reading() || field.failed()) return;
    const auto pattern = Regex::compile(regex, options);
    const auto by = Replacement::compile(replace);
    const std::string why = pattern ? by ? "" : by.error().what : pattern.error().what;
    field.check_plainly(pattern.has_value(), "regex", why,
                        "regex \"" + regex + "\" validation failed: " + why);
    field.check_plainly(by.has_value(), "replace", why, "regex \"" + regex + "\" validation failed: " + why);
  }
};

}  // namespace

// Changes responses: status, headers, body.
class ResponseRewrite final : public plugin::Plugin {
 public:
  struct Config {
    int status_code = 0;
    std::optional<std::string> body;
    bool body_base64 = false;
    json::ResponseHeaders headers;
    plugin::Conditions vars;
    std::vector<Filter> filters;
    std::uint64_t body_max = 64 << 20;

    void describe(json::Fields& field) {
      std::optional<int> status;
      if (status_code != 0) status = status_code;
      field("status_code", status, "The status instead of the upstream's.").range(200, 598);
      status_code = status.value_or(0);
      field("body", body, "The body instead of the upstream's.");
      field("body_base64", body_base64, "body is written in Base64.");
      field("headers", headers, "Header fields to add, set and remove; values may name $variables.");
      field("vars", vars, "Conditions over variables; without them every response is changed.");
      field("filters", filters, "Replacements in the body, one after another.").min_items(1);
      field("max_resp_body_size", body_max,
            "Bytes of body held for the filters; a larger response is broken off.")
          .at_least(1);
      field.not_both("body", "filters");
      field.open();
      if (!field.reading() || !body_base64) return;
      std::string plain;
      field.check_plainly(body && !body->empty() && base64_decode(*body, plain), "body", "is not Base64",
                          "invalid base64 content");
    }
  };

  explicit ResponseRewrite(Config config)
      : config_(std::move(config)), headers_(config_.headers.edits, plugin::find_variable) {
    if (config_.body && config_.body_base64) {
      std::string plain;
      base64_decode(*config_.body, plain);
      config_.body = std::move(plain);
    }
    for (const Filter& filter : config_.filters) {
      steps_.push_back({*Regex::compile(filter.regex, filter.options), *Replacement::compile(filter.replace),
                        filter.scope == Scope::once ? Regex::Mode::once : Regex::Mode::global});
    }
  }

  void response(Exchange& x) const override {
    auto& seen = x.state<Seen>(*this);
    seen.matched = config_.vars.hold(x);
    if (!seen.matched) return;
    http::Response& response = x.response;
    if (config_.status_code != 0) {
      response.status = config_.status_code;
      response.reason = {};
    }
    if (config_.body || !steps_.empty()) {
      const auto encoding = response.headers.get(http::HeaderId::content_encoding);
      seen.coding = coding_of(encoding);
      if (config_.body || seen.coding != Coding::unknown) plugin::forget_body(response);
    }
    headers_.apply(x, response.headers);
  }

  void body(Exchange& x) const override {
    const auto* seen = x.existing_state<Seen>(*this);
    if (seen == nullptr || !seen->matched || x.response.status == 101) return;
    http::Response& response = x.response;
    if (config_.body) {
      response.body = nullptr;
      response.content = *config_.body;
      response.content_length = http::unknown_length;
    } else if (!steps_.empty()) {
      if (seen->coding == Coding::unknown) {
        log::warn("response-rewrite: the body of {} is coded as {}; its filters leave it as it is",
                  x.request.path, response.headers.get(http::HeaderId::content_encoding));
        return;
      }
      filter(x, seen->coding);
    }
  }

 private:
  struct Seen {
    bool matched = false;
    Coding coding = Coding::identity;  // of the upstream's body
  };
  struct Step {
    Regex pattern;
    Replacement by;
    Regex::Mode mode;
  };

  void filter(Exchange& x, Coding coding) const {
    http::Response& response = x.response;
    response.content_length = http::unknown_length;
    if (response.body != nullptr) {
      response.body = x.arena.make<plugin::WholeBody>(
          *response.body, config_.body_max,
          [this, coding](std::string& body) { return replace_in(body, coding); });
      return;
    }
    std::string body(response.content);
    if (const auto changed = replace_in(body, coding); !changed) {
      log::error("response-rewrite: {}: {}", x.request.path, changed.error().what);
      response.status = 502;
      body.clear();
    }
    response.content = x.arena.copy(body);
  }

  Result<> replace_in(std::string& body, Coding coding) const {
    if (coding != Coding::identity) {
      auto plain = decode(coding, body, config_.body_max);
      if (!plain) return std::unexpected(std::move(plain.error()));
      body = std::move(*plain);
    }
    for (const Step& step : steps_) {
      std::string changed;
      if (step.pattern.replace(body, step.by, step.mode, changed) == Regex::Outcome::exhausted) {
        log::error(
            "response-rewrite: the pattern {} takes too many steps on a body of {} bytes; it is skipped",
            step.pattern.pattern(), body.size());
        continue;
      }
      body = std::move(changed);
    }
    return {};
  }

  Config config_;
  plugin::HeaderEdits headers_;
  std::vector<Step> steps_;
};

extern constexpr plugin::PluginType response_rewrite = plugin::plugin<ResponseRewrite>({
    .name = "response-rewrite",
    .summary = "Changes responses: their status, headers and body.",
    .priority = 899,
    .example = R"({"status_code": 201, "headers": {"set": {"X-Server": "$balancer_ip"}},
                   "filters": [{"regex": "Hello", "scope": "global", "replace": "Bye"}]})",
});

}  // namespace sluice::plugins
