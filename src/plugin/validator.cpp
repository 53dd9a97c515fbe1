// SPDX-License-Identifier: Apache-2.0
#include "plugin/validator.h"

#include <fmt/core.h>

#include "net/tls.h"
#include "plugin/expression.h"
#include "plugin/meta.h"

namespace sluice::plugin {
namespace {

using json::Findings;
using json::Reader;
using json::Value;
using model::PluginUse;
using model::Resource;

// Members that the Admin API adds to plugin metadata, not the plugin's.
Value own_part(const Value& body) {
  json::Object own;
  for (const auto& [key, value] : body.as_object()) {
    if (key != "id" && key != "create_time" && key != "update_time") own.append(key, value);
  }
  return own;
}

}  // namespace

const PluginType* Validator::find(std::string_view name) const {
  for (const auto* type : enabled_) {
    if (type->name == name) return type;
  }
  return nullptr;
}

void Validator::check(const Resource& resource, std::string_view id, const Value& body,
                      Findings& findings) const {
  Reader reader(findings, "", "invalid configuration: ");
  resource.check(body, reader);
  if (!body.is_object()) return;
  if (resource.plugins == PluginUse::metadata) {
    check_metadata(id, body, findings);
  } else if (resource.plugins != PluginUse::none) {
    check_plugins(resource, body, findings);
  }
  check_vars(body, findings);
  check_client_certificate(body, "", findings);
  if (const Value* upstream = body.find("upstream"))
    check_client_certificate(*upstream, "/upstream", findings);
}

void Validator::check_fields(const Resource& resource, const Value& body, Findings& findings) const {
  Reader reader(findings);
  resource.check(body, reader);
}

void Validator::check_plugins(const Resource& resource, const Value& body, Findings& findings) const {
  const Value* plugins = body.find("plugins");
  if (!plugins || !plugins->is_object()) return;
  auto user = body.text("username");
  for (const auto& [name, config] : plugins->as_object()) {
    if (config.is_object()) check_plugin(resource, user, name, config, findings);
  }
}

void Validator::check_plugin(const Resource& resource, std::string_view user, const std::string& name,
                             const Value& config, Findings& findings) const {
  std::string before = resource.plugins == PluginUse::consumer ? "invalid plugins configuration: " : "";
  const PluginType* type = find(name);
  if (!type) {
    Reader reader(findings, "/plugins");
    reader.fail_plainly(name, "is no plugin of this gateway, or one that is switched off in config.yaml",
                        fmt::format("{}unknown plugin [{}]", before, name));
    return;
  }
  auto path = "/plugins/" + name;
  auto opening = fmt::format("{}failed to check the configuration of plugin {} err: ", before, name);
  Reader meta_reader(findings, path, opening);  // what APISIX says of _meta.filter stands alone
  Value own;
  Meta meta;
  split_meta(config, own, meta, meta_reader);
  if (!meta.disable) {
    Reader reader(findings, path, {}, std::move(opening));
    check_config(resource, user, *type, own, reader);
    return;
  }
  Findings asleep;  // what is switched off may be wrong, but it should be known
  Reader quiet(asleep, path);
  check_config(resource, user, *type, own, quiet);
  for (auto& problem : asleep.problems) {
    findings.warnings.push_back(
        {problem.path, "will be refused when the plugin is enabled: " + problem.what, {}});
  }
}

void Validator::check_config(const Resource& resource, std::string_view user, const PluginType& type,
                             const Value& config, Reader& reader) const {
  bool as_consumer = resource.plugins == PluginUse::consumer && type.consumer.check;
  const auto& rules = as_consumer ? type.consumer : type.config;
  if (!rules.check(config, reader) || !as_consumer) return;
  check_credential(type, config, user, reader);
}

void Validator::check_credential(const PluginType& type, const Value& config, std::string_view user,
                                 Reader& reader) const {
  if (!find_owner || !type.make_consumer) return;
  Findings scratch;
  Reader again(scratch);
  std::string credential;
  if (!type.make_consumer(config, again, credential)) return;
  auto owner = find_owner(type, credential);
  if (owner.empty() || owner == user) return;
  Reader plain(reader.findings(), reader.path());
  plain.fail_plainly("", fmt::format("consumer {} has the same credential: each must be unique", owner),
                      fmt::format("duplicate key of plugin {} found with consumer: {}", type.name, owner));
}

void Validator::check_metadata(std::string_view name, const Value& body, Findings& findings) const {
  const PluginType* type = find(name);
  if (!type) {
    Reader reader(findings);
    reader.fail_plainly("", fmt::format("{} is no plugin of this gateway", name), "invalid plugin name");
    return;
  }
  Reader reader(findings, "", "invalid configuration: ");
  if (type->metadata.check) {
    type->metadata.check(own_part(body), reader);
  } else if (!own_part(body).as_object().empty()) {
    reader.warn("", fmt::format("plugin {} reads no metadata", name));
  }
}

// The pair that an upstream's servers are shown is read as it will be: what is no pair would leave it out
// later.
void Validator::check_client_certificate(const Value& upstream, std::string path, Findings& findings) const {
  const Value* tls = upstream.find("tls");
  if (!tls || tls->text("client_cert").empty() || tls->text("client_key").empty()) return;
  net::TlsContext::Client client{.verify = false, .certificate = std::string(tls->text("client_cert")),
                                 .key = std::string(tls->text("client_key"))};
  const auto made = net::TlsContext::client(client);
  if (made) return;
  const std::string what = "client_cert and client_key are no pair in PEM: " + made.error().what;
  findings.problems.push_back({path + "/tls", what, what});
}

void Validator::check_vars(const Value& body, Findings& findings) const {
  const Value* vars = body.find("vars");
  if (!vars || !vars->is_array()) return;
  Reader reader(findings, "/vars");
  auto compiled = Expression::compile(*vars, find_variable);
  if (!compiled) {
    const auto& problem = compiled.error();
    findings.problems.push_back(
        {"/vars" + problem.path, problem.what, "failed to validate the 'vars' expression: " + problem.what});
    return;
  }
  for (const auto& name : compiled->unknown()) {
    reader.warn("", fmt::format("there is no variable {}: it is always absent", name));
  }
}

}  // namespace sluice::plugin
