// SPDX-License-Identifier: Apache-2.0
#include "plugin/validator.h"

#include <fmt/core.h>

#include <algorithm>

#include "model/secret_reference.h"
#include "net/certificate.h"
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

bool is_consumers(const Resource& resource) {
  return resource.plugins == PluginUse::consumer || resource.plugins == PluginUse::credential;
}

// What is switched off may be wrong, but it should be known.
void warn_of_sleeping(const ConfigType& rules, const Value& config, const std::string& path,
                      Findings& findings) {
  Findings asleep;
  Reader quiet(asleep, path);
  rules.check(config, quiet);
  for (auto& problem : asleep.problems) {
    findings.warnings.push_back(
        {problem.path, "will be refused when the plugin is enabled: " + problem.what, {}});
  }
}

// A certificate and its key, where both are there as text. `opening` is what APISIX says before.
void check_pair(const Value* certificate, const Value* key, std::string path, std::string_view opening,
                Findings& findings) {
  if (!certificate || !certificate->is_string() || !key || !key->is_string()) return;
  std::string_view what, sentence;
  if (model::is_secret_reference(certificate->as_string()) || model::is_secret_reference(key->as_string()))
    return;
  switch (net::check_pair(certificate->as_string(), key->as_string())) {
    case net::PemFault::none: return;
    case net::PemFault::certificate:
      what = "is no certificate in PEM";
      sentence = "failed to parse cert: PEM_read_bio_X509_AUX() failed";
      break;
    case net::PemFault::key:
      what = "has a key that is none in PEM, or that is locked with a password";
      sentence = "failed to parse key: PEM_read_bio_PrivateKey() failed";
      break;
    case net::PemFault::pair:
      what = "is not the certificate of its key";
      sentence = "the certificate and the key do not belong together";
      break;
  }
  findings.problems.push_back({std::move(path), std::string(what), fmt::format("{}{}", opening, sentence)});
}

// Certificates and keys of an ssl, beyond its schema.
void check_certificates(const Value& body, Findings& findings) {
  check_pair(body.find("cert"), body.find("key"), "/cert", {}, findings);
  if (body.text("type") == "client") return;
  const auto list = [&](std::string_view name) {
    static const json::Array none;
    const Value* member = body.find(name);
    return member && member->is_array() ? &member->as_array() : &none;
  };
  const auto &certs = *list("certs"), &keys = *list("keys");
  if (certs.size() != keys.size())
    findings.problems.push_back({"/keys", fmt::format("has {} keys for {} certs", keys.size(), certs.size()),
                                 "mismatched number of certs and keys"});
  for (std::size_t i = 0; i < std::min(certs.size(), keys.size()); ++i)
    check_pair(&certs[i], &keys[i], fmt::format("/certs/{}", i),
               fmt::format("failed to handle cert-key pair[{}]: ", i + 1), findings);
  const Value* client = body.find("client");
  const Value* ca = client ? client->find("ca") : nullptr;
  if (!ca || !ca->is_string() || model::is_secret_reference(ca->as_string()) ||
      net::check_certificate(ca->as_string()) == net::PemFault::none)
    return;
  findings.problems.push_back(
      {"/client/ca", "is no certificate in PEM",
       "failed to validate client_cert: failed to parse cert: PEM_read_bio_X509_AUX() failed"});
}

// The configs of plugins with what their references stand for; an empty object when there are none.
Value plugins_in(const Resource& resource, Value body, const model::FindSecret& find_secret) {
  Findings scratch;
  model::resolve_secret_references(resource, body, scratch, find_secret);
  const Value* plugins = body.find("plugins");
  return plugins && plugins->is_object() ? *plugins : Value::object();
}

// What a consumer is known by; nothing when the config does not hold.
std::optional<std::string> credential_in(const PluginType& type, const Value& config) {
  Findings scratch;
  Reader reader(scratch);
  std::string credential;
  if (!type.make_consumer(config, reader, credential)) return std::nullopt;
  if (model::is_secret_reference(credential)) return std::nullopt;  // nobody knows what it will be
  return credential;
}

}  // namespace

const PluginType* Validator::find(std::string_view name, Subsystem subsystem) const {
  for (const auto* type : plugins(subsystem)) {
    if (type->name == name) return type;
  }
  return nullptr;
}

void Validator::check(const Resource& resource, std::string_view id, const Value& written,
                      Findings& findings) const {
  Value body = written;
  model::resolve_secret_references(resource, body, findings, find_secret);
  Reader reader(findings, "", "invalid configuration: ");
  if (resource.path == "ssls") reader.let_references_stand();
  resource.check(id, body, reader);
  if (!body.is_object()) return;
  if (resource.plugins == PluginUse::metadata) {
    check_metadata(id, body, findings);
  } else if (resource.plugins != PluginUse::none) {
    check_plugins(resource, body, findings);
  }
  check_vars(body, findings);
  if (resource.path == "ssls") check_certificates(body, findings);
  check_client_certificate(body, "", findings);
  if (const Value* upstream = body.find("upstream"))
    check_client_certificate(*upstream, "/upstream", findings);
}

void Validator::check_fields(const Resource& resource, std::string_view id, const Value& body,
                             Findings& findings) const {
  Reader reader(findings);
  resource.check(id, body, reader);
}

void Validator::check_plugins(const Resource& resource, const Value& body, Findings& findings) const {
  const Value* plugins = body.find("plugins");
  if (!plugins || !plugins->is_object()) return;
  for (const auto& [name, config] : plugins->as_object()) {
    if (config.is_object()) check_plugin(resource, name, config, findings);
  }
}

void Validator::check_plugin(const Resource& resource, const std::string& name, const Value& config,
                             Findings& findings) const {
  std::string before = is_consumers(resource) ? "invalid plugins configuration: " : "";
  const bool stream = resource.plugins == PluginUse::stream;
  const PluginType* type = find(name, stream ? Subsystem::stream : Subsystem::http);
  if (!type) {
    Reader reader(findings, "/plugins");
    reader.fail_plainly(name, "is no plugin of this gateway, or one that is switched off in config.yaml",
                        fmt::format("{}unknown plugin [{}]", before, name));
    return;
  }
  const ConfigType& rules = is_consumers(resource) && type->consumer.check ? type->consumer : type->config;
  auto path = "/plugins/" + name;
  auto opening =
      fmt::format(fmt::runtime(stream ? "{}failed to check the configuration of stream plugin [{}]: "
                                      : "{}failed to check the configuration of plugin {} err: "),
                  before, name);
  Reader meta_reader(findings, path, opening);  // what APISIX says of _meta.filter stands alone
  Value own;
  Meta meta;
  split_meta(config, own, meta, meta_reader);
  if (!meta.disable) {
    Reader reader(findings, path, {}, std::move(opening));
    reader.let_references_stand();
    rules.check(own, reader);
  } else {
    warn_of_sleeping(rules, own, path, findings);
  }
  if (resource.plugins != PluginUse::credential || type->make_consumer) return;
  Reader reader(findings, "/plugins");
  reader.fail_plainly(name, "knows no consumers: a credential holds an authenticating plugin",
                      "only supports auth type plugins in consumer credential");
}

void Validator::check_credentials(const Resource& resource, std::string_view id, const Value& body,
                                  Findings& findings, const FindOwner& owner_of_it) const {
  if (!is_consumers(resource) || !owner_of_it) return;
  const auto plugins = plugins_in(resource, body, find_secret);
  const bool is_credential = resource.plugins == PluginUse::credential;
  const auto user = is_credential ? model::owner_of(resource, id) : id;
  for (const auto& [name, config] : plugins.as_object()) {
    const PluginType* type = find(name);
    if (!type || !type->make_consumer) continue;
    const auto credential = credential_in(*type, config);
    const Consumer* owner = credential ? owner_of_it(*type, *credential) : nullptr;
    if (!owner || (owner->name == user && (!is_credential || id.ends_with("/" + owner->credential_id))))
      continue;
    const auto who = owner->credential_id.empty()
                         ? fmt::format("consumer: {}", owner->name)
                         : fmt::format("credential: {} of consumer: {}", owner->credential_id, owner->name);
    Reader reader(findings, "/plugins");
    reader.fail_plainly(name, "must be unique, and is that of " + who,
                        fmt::format("duplicate key of plugin {} found with {}", name, who));
  }
}

std::vector<std::string> Validator::credentials_in(const Resource& resource, const Value& body) const {
  std::vector<std::string> all;
  if (!is_consumers(resource)) return all;
  const auto plugins = plugins_in(resource, body, find_secret);
  for (const auto& [name, config] : plugins.as_object()) {
    const PluginType* type = find(name);
    if (!type || !type->make_consumer || !config.is_object()) continue;
    if (auto credential = credential_in(*type, config))
      all.push_back(fmt::format("{}/{}", name, *credential));
  }
  return all;
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
void Validator::check_client_certificate(const Value& upstream, const std::string& path,
                                         Findings& findings) const {
  const Value* tls = upstream.find("tls");
  if (tls)
    check_pair(tls->find("client_cert"), tls->find("client_key"), path + "/tls/client_cert", {}, findings);
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
