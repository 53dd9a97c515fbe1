// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/hash.h"
#include "base/text.h"
#include "http/field_lines.h"
#include "plugin/exchange.h"
#include "plugin/leaf.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;
using Origin = std::optional<std::string_view>;  // nullopt: none

constexpr std::string_view all_methods = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE";
constexpr std::string_view origins_pattern = R"(^(\*|\*\*|null|\w+://[^,]+(,\w+://[^,]+)*)$)";

// "*", "**", one origin, or several with commas between.
class Origins {
 public:
  Origins() = default;
  explicit Origins(std::string text) : text_(std::move(text)) {
    if (text_.find(',') == std::string::npos) return;
    for (const std::string_view one : Split(text_, ','))
      if (!one.empty()) several_.emplace(one);
  }
  const std::string& text() const { return text_; }
  // Whether it allows the same to every request: "*", or one origin.
  bool is_one() const { return text_ != "**" && several_.empty(); }

  // What to allow a request of that origin.
  Origin allowed(Origin origin) const {
    if (text_ == "**") return origin ? origin : Origin("*");
    if (several_.empty()) return text_;
    return origin && several_.find(*origin) != several_.end() ? origin : Origin();
  }

 private:
  std::string text_ = "*";
  std::unordered_set<std::string, StringHash, std::equal_to<>> several_;
};

struct Names {
  http::FieldName allow_origin{"Access-Control-Allow-Origin"}, allow_methods{"Access-Control-Allow-Methods"},
      allow_headers{"Access-Control-Allow-Headers"}, allow_credentials{"Access-Control-Allow-Credentials"},
      expose_headers{"Access-Control-Expose-Headers"}, max_age{"Access-Control-Max-Age"};
};
const Names names;

bool fits(Origin origin, Origin allowed) { return origin == allowed || allowed == "*"; }

Origin allowed_by(const std::vector<Regex>& patterns, Origin origin) {
  if (!origin) return {};
  const bool found = std::ranges::any_of(
      patterns, [&](const Regex& regex) { return regex.match(*origin) == Regex::Outcome::match; });
  return found ? origin : Origin();
}

}  // namespace
}  // namespace sluice::plugins

namespace sluice::json {
template <>
struct Codec<plugins::Origins> {
  static bool read(const Value& in, plugins::Origins& out, Reader& reader) {
    if (!in.is_string()) return reader.wrong_type("string", in);
    out = plugins::Origins(in.as_string());
    return true;
  }
  static Value write(const plugins::Origins& value) { return value.text(); }
  static Value schema() { return type_schema("string"); }
};
}  // namespace sluice::json

namespace sluice::plugins {

// Answers preflight requests and tells browsers which origins may read responses (Fetch standard, CORS).
class Cors final : public plugin::Plugin {
 public:
  struct Config {
    Origins allow_origins;
    std::string allow_methods = "*", allow_headers = "*", expose_headers;
    std::int64_t max_age = 5;
    bool allow_credential = false;
    std::vector<Regex> allow_origins_by_regex;
    std::vector<std::string> allow_origins_by_metadata;
    std::optional<Origins> timing_allow_origins;
    std::vector<Regex> timing_allow_origins_by_regex;

    void describe(json::Fields& field) {
      field("allow_origins", allow_origins,
            "Origins that may read responses, with commas between; * is any without credentials, ** any at "
            "all.")
          .pattern(origins_pattern);
      field("allow_methods", allow_methods, "Methods allowed, with commas between; * or ** is any.");
      field("allow_headers", allow_headers,
            "Request headers allowed; ** allows what the preflight asks for.");
      field("expose_headers", expose_headers, "Response headers that scripts may read.");
      field("max_age", max_age, "Seconds for which a preflight's answer may be kept; -1: not at all.");
      field("allow_credential", allow_credential,
            "Allows requests with cookies and Authorization; then no other field may be *.");
      field("allow_origins_by_regex", allow_origins_by_regex,
            "Patterns of origins, instead of allow_origins.")
          .min_items(1)
          .unique()
          .items()
          .length(1, 4096);
      field("allow_origins_by_metadata", allow_origins_by_metadata,
            "Names of lists of origins that stand in the plugin's metadata.")
          .min_items(1).unique().items().length(1, 4096);
      field("timing_allow_origins", timing_allow_origins,
            "Origins that may read timing (Timing-Allow-Origin), written as allow_origins.")
          .pattern(origins_pattern);
      field("timing_allow_origins_by_regex", timing_allow_origins_by_regex,
            "Patterns of origins, instead of timing_allow_origins.")
          .min_items(1).unique().items().length(1, 4096);
      field.open();
      if (!field.reading() || !allow_credential) return;
      const bool any = allow_origins.text() == "*" || allow_methods == "*" || allow_headers == "*" ||
                       expose_headers == "*" || (timing_allow_origins && timing_allow_origins->text() == "*");
      field.check_plainly(!any, "allow_credential",
                          "does not go with a field that is * (the default of allow_origins, allow_methods "
                          "and allow_headers): name what is allowed, or write **",
                          "you can not set '*' for other option when 'allow_credential' is true");
    }
  };

  struct Metadata {
    std::map<std::string, Origins> allow_origins;
    void describe(json::Fields& field) {
      field("allow_origins", allow_origins, "Lists of origins by name, each written as allow_origins.")
          .items().pattern(origins_pattern);
      field.open();
    }
  };

  explicit Cors(Config config) : config_(std::move(config)), fixed_(fixed_of(config_)) {}

  // The origin is kept as the client sent it: plugins may change the request.
  plugin::VerdictTask rewrite(Exchange& x) const override {
    x.state<Asked>(*this).origin = origin_of(x);
    if (x.request.method_id == http::Method::options) return plugin::reply(200, std::string());
    return plugin::pass();
  }

  void response(Exchange& x) const override {
    const auto* asked = x.existing_state<Asked>(*this);
    const Origin origin = asked != nullptr ? asked->origin : origin_of(x);
    const Origin allowed = allowed_origin(x, origin);
    if (config_.allow_origins.text() != "*") x.response.headers.add("Vary", "Origin");
    if (allowed) tell(x, *allowed);
    const Origin timing = timing_origin(origin);
    if (timing && fits(origin, timing)) x.response.headers.set("Timing-Allow-Origin", *timing);
  }

 private:
  // Whether every response that is let through names the same origin.
  static bool names_one(const Config& config) {
    return config.allow_origins.is_one() && config.allow_origins_by_regex.empty() &&
           config.allow_origins_by_metadata.empty();
  }

  // What every response gets as it is.
  static http::FixedFields fixed_of(const Config& config) {
    std::vector<http::FixedFields::Line> lines;
    if (names_one(config)) lines.push_back({&names.allow_origin, config.allow_origins.text()});
    const bool any = config.allow_methods == "**";
    lines.push_back({&names.allow_methods, any ? std::string(all_methods) : config.allow_methods});
    lines.push_back({&names.max_age, std::to_string(config.max_age)});
    if (!config.expose_headers.empty()) lines.push_back({&names.expose_headers, config.expose_headers});
    if (config.allow_headers != "**") lines.push_back({&names.allow_headers, config.allow_headers});
    if (config.allow_credential) lines.push_back({&names.allow_credentials, "true"});
    return http::FixedFields(lines);
  }

  struct Asked {
    Origin origin;
  };

  static Origin origin_of(Exchange& x) {
    const auto* field = x.request.headers.find(http::HeaderId::origin);
    return field == nullptr ? Origin() : Origin(field->value);
  }

  Origin allowed_origin(Exchange& x, Origin origin) const {
    Origin allowed;
    bool ask_own = true;
    if (!config_.allow_origins_by_metadata.empty()) {
      allowed = by_metadata(x, origin);
      ask_own = !fits(origin, allowed) && config_.allow_origins.text() != "*";
    }
    if (ask_own) {
      allowed = config_.allow_origins_by_regex.empty() ? config_.allow_origins.allowed(origin)
                                                       : allowed_by(config_.allow_origins_by_regex, origin);
    }
    return fits(origin, allowed) ? allowed : by_metadata(x, origin);
  }

  Origin by_metadata(Exchange& x, Origin origin) const {
    if (config_.allow_origins_by_metadata.empty()) return {};
    const auto& lists = x.metadata<Cors>().allow_origins;
    for (const auto& name : config_.allow_origins_by_metadata) {
      const auto list = lists.find(name);
      if (list != lists.end() && fits(origin, list->second.allowed(origin))) return origin;
    }
    return {};
  }

  Origin timing_origin(Origin origin) const {
    if (!config_.timing_allow_origins_by_regex.empty())
      return allowed_by(config_.timing_allow_origins_by_regex, origin);
    return config_.timing_allow_origins ? config_.timing_allow_origins->allowed(origin) : Origin();
  }

  void tell(Exchange& x, std::string_view allowed) const {
    auto& headers = x.response.headers;
    if (!names_one_) headers.set(names.allow_origin, allowed);
    fixed_.put(headers);
    if (config_.allow_headers != "**") return;
    if (const auto asked = x.request.headers.joined("Access-Control-Request-Headers"))
      headers.set(names.allow_headers, *asked);
    else headers.remove(names.allow_headers);
  }

  Config config_;
  bool names_one_ = names_one(config_);
  http::FixedFields fixed_;
};

extern constexpr plugin::PluginType cors = plugin::plugin<Cors>({
    .name = "cors",
    .summary = "Tells browsers which origins may read responses, and answers preflight requests.",
    .priority = 4000,
    .example = R"({"allow_origins": "http://a.example.com,https://b.example.com", "allow_methods": "GET,POST",
                   "max_age": 600})",
});

}  // namespace sluice::plugins
