// SPDX-License-Identifier: Apache-2.0
#include "cli/lint.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "json/text.h"
#include "model/upstream.h"
#include "net/certificate.h"

namespace sluice::cli {
namespace {

using json::Value;
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t ends_soon_s = 30 * day_s;

// Members of plugins that name a resource, as traffic-split's upstreams: they count as use.
constexpr std::pair<std::string_view, std::string_view> names_in_plugins[] = {
    {"upstream_id", "upstreams"}, {"service_id", "services"}, {"plugin_config_id", "plugin_configs"}};

std::string id_text(const Value& value) {
  if (value.is_string()) return value.as_string();
  return value.is_integer() ? std::to_string(value.as_int()) : std::string();
}

void collect_names(const Value& value, std::set<std::string>& used) {
  if (value.is_array()) {
    for (const Value& item : value.as_array()) collect_names(item, used);
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      for (const auto& [name, kind] : names_in_plugins) {
        if (key == name) used.insert(fmt::format("{}/{}", kind, id_text(member)));
      }
      collect_names(member, used);
    }
  }
}

// Calls `each` with the path and the body of every upstream, nested ones too.
template <class Each>
void for_each_upstream(const Configuration& configuration, Each each) {
  for (const auto& [key, item] : configuration.items()) {
    if (item.resource->path == "upstreams") each(item, std::string(), item.body);
    if (const Value* nested = item.body.find("upstream"); nested != nullptr && nested->is_object())
      each(item, std::string("/upstream"), *nested);
  }
}

void lint_nodes(const Item& item, const std::string& path, const Value& upstream,
                std::vector<Finding>& found) {
  const Value* written = upstream.find("nodes");
  if (written == nullptr) return;
  json::Findings ignored;
  json::Reader reader(ignored);
  model::Nodes nodes;
  if (!json::read(*written, nodes, reader)) return;  // lint_resources has said it
  const std::string where = path + "/nodes";
  if (nodes.list.empty()) {
    found.push_back({Severity::warning, "no-nodes", item.name(), where,
                     "it has no nodes, so every request is answered 503", "add a node"});
    return;
  }
  if (std::ranges::all_of(nodes.list, [](const auto& node) { return node.weight == 0; }))
    found.push_back({Severity::error, "zero-weights", item.name(), where,
                     "every node has the weight 0, so none is ever chosen",
                     "give a node a weight of at least 1"});
  std::set<std::tuple<std::string, int>> seen;
  for (const auto& node : nodes.list) {
    const int port = node.port.value_or(0);
    if (seen.emplace(node.host, port).second) continue;
    const std::string name = port == 0 ? node.host : fmt::format("{}:{}", node.host, port);
    found.push_back({Severity::warning, "node-twice", item.name(), where,
                     fmt::format("{} is listed twice, so it gets twice its share", name),
                     "list it once, with the sum of the weights"});
  }
}

void lint_tls(const Item& item, const std::string& path, const Value& upstream, std::vector<Finding>& found) {
  const auto scheme = upstream.text("scheme");
  const bool secure = scheme == "https" || scheme == "grpcs" || scheme == "tls";
  const auto off = [&](std::string_view pointer) {
    const Value* value = json::at_pointer(upstream, pointer);
    return value != nullptr && value->is_bool() && !value->as_bool();
  };
  const auto add = [&](std::string_view pointer, std::string_view what) {
    found.push_back({Severity::warning, "unverified-tls", item.name(), path + std::string(pointer),
                     fmt::format("{} are not checked, so anybody in between can answer for them", what),
                     "set it to true; a private authority goes into apisix.ssl.ssl_trusted_certificate"});
  };
  if (secure && off("/tls/verify")) add("/tls/verify", "the certificates of its nodes");
  if (upstream.find("checks") && json::at_pointer(upstream, "/checks/active") &&
      json::at_pointer(upstream, "/checks/active")->text("type") == "https" &&
      off("/checks/active/https_verify_certificate"))
    add("/checks/active/https_verify_certificate", "certificates in health checks");
}

class Certificates {
 public:
  Certificates(const LintInput& input, std::vector<Finding>& found) : input_(input), found_(found) {}

  void look(const Item& item, const Value& value, const std::string& path) {
    if (value.is_array()) {
      std::size_t number = 0;
      for (const Value& each : value.as_array()) look(item, each, path + "/" + std::to_string(number++));
    } else if (value.is_object()) {
      for (const auto& [key, member] : value.as_object())
        look(item, member, path + "/" + json::pointer_segment(key));
    } else if (value.is_string() && value.as_string().contains("-----BEGIN CERTIFICATE-----")) {
      check(item, value.as_string(), path);
    }
  }

 private:
  void check(const Item& item, const std::string& pem, const std::string& path) {
    const auto facts = net::certificate_facts(pem);
    if (!facts) return;
    const std::int64_t left_s = facts->not_after - input_.now_s;
    const std::string whose = facts->names.empty() ? facts->subject : facts->names.front();
    const auto add = [&](Severity severity, std::string_view rule, std::string what) {
      found_.push_back(
          {severity, rule, item.name(), path, std::move(what), "put a renewed one in its place"});
    };
    if (left_s < 0)
      add(Severity::error, "expired-certificate",
          fmt::format("the certificate of {} ended {} days ago", whose, -left_s / day_s));
    else if (left_s < ends_soon_s)
      add(Severity::warning, "expiring-certificate",
          fmt::format("the certificate of {} ends in {} days", whose, left_s / day_s));
    else if (facts->not_before > input_.now_s)
      add(Severity::warning, "early-certificate",
          fmt::format("the certificate of {} does not count for another {} days", whose,
                      (facts->not_before - input_.now_s) / day_s));
  }

  const LintInput& input_;
  std::vector<Finding>& found_;
};

}  // namespace

std::string_view name_of(Severity severity) {
  constexpr std::string_view names[]{"error", "warning", "info"};
  return names[static_cast<int>(severity)];
}

void lint_resources(const LintInput& input, std::vector<Finding>& found) {
  std::set<std::string> used;
  for (const auto& [key, item] : input.configuration.items()) {
    json::Findings findings;
    input.check(*item.resource, item.id, with_name(item), findings);
    // The Admin API does not tell everything it keeps of some kinds; what is there has been checked by it.
    const bool is_whole = item.resource->hidden[0].empty() || !item.origin.empty();
    if (!is_whole) findings.problems.clear();
    for (auto& problem : findings.problems)
      found.push_back({Severity::error, "invalid", item.name(), problem.path, problem.what,
                       "a gateway leaves it out: correct it"});
    for (auto& warning : findings.warnings)
      found.push_back({Severity::warning, "no-effect", item.name(), warning.path, warning.what, ""});
    for (const auto& reference : findings.references) {
      const auto* target = model::find_resource(reference.resource);
      used.insert(reference.resource + "/" + reference.id);
      if (target == nullptr || input.configuration.find(*target, reference.id) != nullptr) continue;
      found.push_back({Severity::error, "missing-reference", item.name(), reference.path,
                       fmt::format("there is no {} {}", target->kind, reference.id),
                       "add it, or name one that exists"});
    }
    if (const Value* plugins = item.body.find("plugins")) collect_names(*plugins, used);
  }
  for (const auto& [key, item] : input.configuration.items()) {
    if (item.resource->still_used.empty() || used.contains(item.name())) continue;
    found.push_back({Severity::warning, "unused", item.name(), "", "nothing refers to it",
                     fmt::format("sluice {} delete {}", item.resource->schema_name, item.id)});
  }
}

void lint_upstreams(const LintInput& input, std::vector<Finding>& found) {
  for_each_upstream(input.configuration,
                    [&](const Item& item, const std::string& path, const Value& upstream) {
                      lint_nodes(item, path, upstream, found);
                      lint_tls(item, path, upstream, found);
                    });
}

void lint_certificates(const LintInput& input, std::vector<Finding>& found) {
  Certificates certificates(input, found);
  for (const auto& [key, item] : input.configuration.items()) certificates.look(item, item.body, "");
}

std::vector<Finding> lint(const LintInput& input) {
  std::vector<Finding> found;
  lint_resources(input, found);
  lint_routes(input, found);
  lint_upstreams(input, found);
  lint_certificates(input, found);
  std::ranges::stable_sort(found, {}, [](const Finding& finding) {
    return std::tie(finding.severity, finding.resource);
  });
  return found;
}

}  // namespace sluice::cli
