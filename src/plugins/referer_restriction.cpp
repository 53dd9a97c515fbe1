// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>

#include "base/hash.h"
#include "base/text.h"
#include "plugin/exchange.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

constexpr std::string_view host_pattern = R"(^\*?[0-9a-zA-Z-._\[\]:]+$)";

// The host of an http or https URI, empty when it is none: "https://user@a.com:8080/x" is "a.com".
std::string_view host_of(std::string_view uri) {
  const std::size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos) return {};
  const auto name = uri.substr(0, scheme);
  if (!equals_ignoring_case(name, "http") && !equals_ignoring_case(name, "https")) return {};
  std::string_view authority = uri.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

// Host names without case, and their endings: "*.a.com".
class Hosts {
 public:
  explicit Hosts(const std::vector<std::string>& written) {
    for (const std::string& host : written) {
      if (host.starts_with('*')) endings_.push_back(lowered(host.substr(1)));
      else names_.insert(lowered(host));
    }
  }
  bool contains(std::string_view host) const {
    const std::string name = lowered(host);
    return names_.contains(name) || std::ranges::any_of(endings_, [&](const std::string& ending) {
             return name.ends_with(ending);
           });
  }

 private:
  std::unordered_set<std::string, StringHash, std::equal_to<>> names_;
  std::vector<std::string> endings_;
};

}  // namespace

// Admits or refuses a request by the host of its Referer.
class RefererRestriction final : public plugin::Plugin {
 public:
  struct Config {
    std::vector<std::string> whitelist, blacklist;
    bool bypass_missing = false;
    std::string message = "Your referer host is not allowed";

    void describe(json::Fields& field) {
      field("whitelist", whitelist, "Hosts to admit (a leading * stands for anything); others are refused.")
          .min_items(1).items().pattern(host_pattern);
      field("blacklist", blacklist, "Hosts to refuse (a leading * stands for anything); others are admitted.")
          .min_items(1).items().pattern(host_pattern);
      field("bypass_missing", bypass_missing, "Admits requests without a Referer, or with one that is none.");
      field("message", message, "What the refusal says.").length(1, 1024);
      field.exactly_one_of({"whitelist", "blacklist"});
      field.open();
    }
  };

  explicit RefererRestriction(const Config& config)
      : hosts_(config.whitelist.empty() ? config.blacklist : config.whitelist),
        listed_are_admitted_(!config.whitelist.empty()),
        bypass_missing_(config.bypass_missing),
        message_(config.message) {}

  plugin::VerdictTask access(Exchange& x) const override {
    const auto host = host_of(x.request.headers.get(http::HeaderId::referer));
    const bool admitted = host.empty() ? bypass_missing_ : hosts_.contains(host) == listed_are_admitted_;
    return admitted ? plugin::pass() : plugin::reply_message(403, message_);
  }

 private:
  Hosts hosts_;
  bool listed_are_admitted_, bypass_missing_;
  std::string message_;
};

extern constexpr plugin::PluginType referer_restriction = plugin::plugin<RefererRestriction>({
    .name = "referer-restriction",
    .summary = "Admits or refuses a request by the host of its Referer.",
    .priority = 2990,
    .example = R"({"whitelist": ["example.com", "*.example.org"], "bypass_missing": true})",
});

}  // namespace sluice::plugins
