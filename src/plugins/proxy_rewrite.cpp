// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "base/log.h"
#include "base/text.h"
#include "plugin/exchange.h"
#include "plugin/header_edits.h"
#include "plugin/query.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

// What the last regex_uri that matched captured; header values refer to it by $1.
struct Captures {
  std::string_view groups[Regex::captures_max];
  std::size_t count = 0;
};
constexpr char captures_owner = 0;

plugin::Variable::Value read_capture(Exchange& x, const plugin::Variable& variable) {
  const auto* captures = x.existing_state<Captures>(captures_owner);
  if (captures == nullptr || variable.number() >= captures->count) return std::nullopt;
  return captures->groups[variable.number()];
}

plugin::Variable find_variable_or_capture(std::string_view name) {
  const auto number = parse_unsigned(name);
  if (!number) return plugin::find_variable(name);
  return plugin::Variable(read_capture, {},
                          static_cast<std::uint32_t>(std::min<std::uint64_t>(*number, 1000)));
}

// "$1_x" is the capture and "_x": names of variables never begin with a digit.
std::string with_braces(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out.push_back(text[i]);
    const bool begins = text[i] == '$' && (i == 0 || text[i - 1] != '\\');
    if (!begins || i + 1 >= text.size() || !is_digit(text[i + 1])) continue;
    out.push_back('{');
    while (i + 1 < text.size() && is_digit(text[i + 1])) out.push_back(text[++i]);
    out.push_back('}');
  }
  return out;
}

void escape_mark(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (c == '?') out += "%3F";
    else out.push_back(c);
  }
}

}  // namespace

// Changes what the upstream is asked: path, query, host, method, headers.
class ProxyRewrite final : public plugin::Plugin {
 public:
  struct Config {
    std::string uri, host;
    std::optional<std::string> method;
    std::vector<std::string> regex_uri;
    json::RequestHeaders headers;
    bool use_real_request_uri_unsafe = false;

    void describe(json::Fields& field) {
      field("uri", uri,
            "The path, and if it has one the query, to ask for; with $variables. The client's query follows.")
          .length(1, 4096)
          .pattern(R"(^\/.*)");
      field(
          "regex_uri", regex_uri,
          "Pairs of a pattern and what its match in the path is replaced by ($1 is a group); the first that "
          "matches counts. Not used beside uri.")
          .min_items(2);
      field("method", method, "The method to ask with.")
          .one_of({"UNLOCK", "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "MKCOL", "COPY",
                   "MOVE", "PROPFIND", "HEAD", "LOCK"});
      field("host", host, "The Host to ask for, with a port if it needs one.")
          .pattern(R"(^[0-9a-zA-Z-.]+(:\d{1,5})?$)");
      field("headers", headers, "Header fields to add, set and remove; values may name $variables and $1.");
      field(
          "use_real_request_uri_unsafe", use_real_request_uri_unsafe,
          "Starts from the path as the client sent it, neither decoded nor cleaned: the upstream must cope.");
      field.refused("scheme", "is the upstream's to say: set scheme there");
      field.at_least_one_of(
          {"uri", "regex_uri", "method", "host", "headers", "use_real_request_uri_unsafe"});
      field.open();
      if (field.reading()) check_patterns(field);
    }

   private:
    void check_patterns(json::Fields& field) {
      field.check_plainly(
          regex_uri.size() % 2 == 0, "regex_uri",
          "must hold pairs, so an even number of texts, not " + std::to_string(regex_uri.size()),
          "The length of regex_uri should be an even number");
      for (std::size_t i = 0; i + 1 < regex_uri.size(); i += 2) {
        const auto regex = Regex::compile(regex_uri[i]);
        const auto by = Replacement::compile(regex_uri[i + 1]);
        if (regex && by) continue;
        const std::string& why = regex ? by.error().what : regex.error().what;
        field.check_plainly(false, "regex_uri", why,
                            "invalid regex_uri(" + regex_uri[i] + ", " + regex_uri[i + 1] + "): " + why);
      }
    }
  };

  explicit ProxyRewrite(const Config& config)
      : host_(config.host),
        method_(config.method.value_or("")),
        uri_(plugin::Template::compile(config.uri, plugin::find_variable)),
        raw_(config.use_real_request_uri_unsafe),
        headers_(braced(config.headers.edits), find_variable_or_capture) {
    if (!config.uri.empty()) return;
    for (std::size_t i = 0; i + 1 < config.regex_uri.size(); i += 2) {
      rules_.push_back(
          {*Regex::compile(config.regex_uri[i]), *Replacement::compile(config.regex_uri[i + 1])});
    }
  }

  plugin::VerdictTask rewrite(Exchange& x) const override {
    if (!host_.empty()) x.upstream.host = host_;
    if (!rewrite_target(x))
      return plugin::reply_json(
          500,
          json::Value::object({{"error_msg", "failed to substitute the uri: its regex_uri takes too long"}}));
    headers_.apply(x, x.request.headers);
    if (!method_.empty()) x.upstream.method = method_;
    return plugin::pass();
  }

 private:
  struct Rule {
    Regex pattern;
    Replacement by;
  };

  static plugin::RequestHeaderConfig braced(plugin::RequestHeaderConfig config) {
    for (auto* map : {&config.add, &config.set}) {
      for (auto& [name, values] : *map)
        for (auto& value : values.list) value = with_braces(value);
    }
    return config;
  }

  // False when a pattern ran out of its budget.
  bool rewrite_target(Exchange& x) const {
    if (uri_.text().empty() && rules_.empty() && is_plain(x)) return true;
    static thread_local std::string target, encoded;
    target.clear();
    encoded.clear();
    bool has_own_query = false;
    if (!make_target(x, target, has_own_query)) return false;
    if (raw_) {
      escape_controls(target, encoded);
    } else {
      const std::size_t mark = has_own_query ? target.find('?') : std::string::npos;
      plugin::append_path(std::string_view(target).substr(0, mark), encoded);
      x.request.path = x.arena.copy(encoded);
      if (mark != std::string::npos) escape_controls(std::string_view(target).substr(mark), encoded);
      if (!x.request.query.empty())
        encoded.append(mark == std::string::npos ? "?" : "&").append(x.request.query);
    }
    x.set_target(encoded);
    return true;
  }

  // The path is what the client wrote, and so is the query: nothing would change.
  bool is_plain(const Exchange& x) const {
    const std::string_view target = x.request.target;
    return x.upstream.target.empty() && (raw_ || target.substr(0, target.find('?')) == x.request.path);
  }

  bool make_target(Exchange& x, std::string& target, bool& has_own_query) const {
    const std::string_view real = x.upstream.target.empty() ? x.request.target : x.upstream.target;
    const std::string_view before = raw_ ? real : x.request.path;
    if (!uri_.text().empty()) {
      has_own_query = true;
      uri_.render(x, target, escape_mark);
      const std::size_t mark = real.find('?');
      if (raw_ && mark != std::string_view::npos)
        target.append(target.find('?') == std::string::npos ? "?" : "&").append(real.substr(mark + 1));
      return true;
    }
    has_own_query = !rules_.empty() && before.find('?') == std::string_view::npos;
    for (const Rule& rule : rules_) {
      std::array<std::string_view, Regex::captures_max> groups{};
      const auto outcome = rule.pattern.captures(before, groups);
      if (outcome == Regex::Outcome::no_match) continue;
      if (outcome == Regex::Outcome::exhausted ||
          rule.pattern.replace(before, rule.by, Regex::Mode::once, target) != Regex::Outcome::match) {
        log::error("{}: a pattern of regex_uri takes too many steps on it", before);
        return false;
      }
      auto& captures = x.state<Captures>(captures_owner);
      captures.count = std::min(rule.pattern.group_count() + 1, groups.size());
      for (std::size_t i = 0; i < captures.count; ++i) captures.groups[i] = x.arena.copy(groups[i]);
      return true;
    }
    target = before;
    return true;
  }

  static void escape_controls(std::string_view text, std::string& out) {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) percent_encode({&c, 1}, out);
      else out.push_back(c);
    }
  }

  std::string host_, method_;
  plugin::Template uri_;
  std::vector<Rule> rules_;
  bool raw_;
  plugin::HeaderEdits headers_;
};

extern constexpr plugin::PluginType proxy_rewrite = plugin::plugin<ProxyRewrite>({
    .name = "proxy-rewrite",
    .summary = "Changes what the upstream is asked: path, query, host, method and headers.",
    .priority = 1008,
    .example = R"x({"regex_uri": ["^/api/(.*)", "/$1"], "headers": {"set": {"X-Api": "$1"}}})x",
});

}  // namespace sluice::plugins
