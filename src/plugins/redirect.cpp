// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "plugin/exchange.h"
#include "plugin/leaf.h"
#include "plugin/query.h"

namespace sluice::plugins {

using plugin::Exchange;

// Sends the client elsewhere.
class Redirect final : public plugin::Plugin {
 public:
  struct Config {
    int ret_code = 302;
    std::string uri;
    std::vector<std::string> regex_uri;
    bool http_to_https = false, encode_uri = false, append_query_string = false;

    void describe(json::Fields& field) {
      field("ret_code", ret_code, "Status of the answer.").range(200, 999);
      field("uri", uri, "Where to, with $variables.")
          .length(2, 65536)
          .pattern(R"((\\\$[0-9a-zA-Z_]+)|\$\{([0-9a-zA-Z_]+)\}|\$([0-9a-zA-Z_]+)|(\$|[^$\\]+))");
      field("regex_uri", regex_uri,
            "A pattern, and what its match in the path is replaced by ($1 is a group): where to. A path that "
            "does not match is not redirected.")
          .min_items(2).max_items(2);
      field("http_to_https", http_to_https,
            "Sends requests without TLS to the same target with it: 301 for GET and HEAD, else 308.");
      field("encode_uri", encode_uri, "Percent-encodes the path of where to.");
      field("append_query_string", append_query_string, "Appends the client's query.");
      field.exactly_one_of({"uri", "regex_uri", "http_to_https"});
      field.open();
      if (field.reading() && !field.failed()) check(field);
    }

   private:
    void check(json::Fields& field) const {
      field.check_plainly(!http_to_https || !append_query_string, "append_query_string",
                          "does not go with http_to_https, which keeps the query anyhow",
                          "only one of `http_to_https` and `append_query_string` can be configured.");
      if (regex_uri.size() != 2) return;
      const auto pattern = Regex::compile(regex_uri[0]);
      const auto by = Replacement::compile(regex_uri[1]);
      if (pattern && by) return;
      const std::string& why = pattern ? by.error().what : pattern.error().what;
      field.check_plainly(
          false, "regex_uri", why,
          "invalid regex_uri (" + regex_uri[0] + ", " + regex_uri[1] + "), err:" + why);
    }
  };

  explicit Redirect(const Config& config)
      : status_(config.ret_code),
        to_(plugin::Template::compile(config.uri, plugin::find_variable)),
        host_(plugin::find_variable("host")),
        to_https_(config.http_to_https),
        encode_(config.encode_uri),
        append_query_(config.append_query_string) {
    if (config.regex_uri.size() != 2) return;
    pattern_ = *Regex::compile(config.regex_uri[0]);
    by_ = *Replacement::compile(config.regex_uri[1]);
  }

  plugin::VerdictTask rewrite(Exchange& x) const override {
    if (to_https_) return x.is_secure() ? plugin::pass() : send_to_https(x);
    std::string to;
    if (pattern_) {
      const auto outcome = pattern_.replace(x.request.path, by_, Regex::Mode::once, to);
      if (outcome == Regex::Outcome::no_match) return plugin::pass();
      if (outcome == Regex::Outcome::exhausted) {
        log::error("redirect: {}: the pattern of regex_uri takes too many steps on it", x.request.path);
        return plugin::reply(500);
      }
    } else {
      to_.render(x, to);
    }
    return send(status_, finished(std::move(to), x));
  }

 private:
  plugin::Verdict send_to_https(Exchange& x) const {
    std::string to = "https://";
    to += host_.read(x).value_or("");
    if (const auto port = x.worker.https_port; port != 0 && port != 443) to += ":" + std::to_string(port);
    to += x.request.target;
    const bool repeatable =
        x.request.method_id == http::Method::get || x.request.method_id == http::Method::head;
    return send(repeatable ? 301 : 308, finished(std::move(to), x));
  }

  std::string finished(std::string to, const Exchange& x) const {
    const std::size_t mark = to.find('?');
    if (encode_) {
      std::string encoded;
      plugin::append_path(std::string_view(to).substr(0, mark), encoded);
      if (mark != std::string::npos) encoded += to.substr(mark);
      to = std::move(encoded);
    }
    if (append_query_ && !x.request.query.empty())
      to.append(mark == std::string::npos ? "?" : "&").append(x.request.query);
    return to;
  }

  static plugin::Verdict send(int status, std::string to) {
    auto verdict = plugin::reply(status);
    verdict->headers.emplace_back("Location", std::move(to));
    return verdict;
  }

  int status_;
  plugin::Template to_;
  plugin::Variable host_;
  Regex pattern_;
  Replacement by_;
  bool to_https_, encode_, append_query_;
};

extern constexpr plugin::PluginType redirect = plugin::plugin<Redirect>({
    .name = "redirect",
    .summary = "Sends the client elsewhere.",
    .priority = 900,
    .example = R"x({"regex_uri": ["^/old/(.*)", "/new/$1"], "ret_code": 301})x",
});

}  // namespace sluice::plugins
