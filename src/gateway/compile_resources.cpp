// SPDX-License-Identifier: Apache-2.0
// The part of the compiler that makes one resource: its plugins, its target, its place in the router.
#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "gateway/compiler.h"
#include "json/text.h"
#include "model/secret_reference.h"
#include "plugin/meta.h"
#include "plugin/request_body.h"

namespace sluice::gateway {
namespace {

upstream::Timeouts timeouts_of(const model::Timeout& written) {
  return {written.connect, written.send, written.read};
}

// What a plugin's config was before, where the resource had it.
const json::Value* old_config(const std::optional<json::Value>& old, std::string_view plugin) {
  const auto* plugins = old ? old->find("plugins") : nullptr;
  return plugins == nullptr ? nullptr : plugins->find(plugin);
}

std::uint32_t method_bits(const std::vector<std::string>& names) {
  std::uint32_t bits = 0;
  for (const auto& name : names) bits |= method_bit(http::method_of(name));
  return bits;
}

}  // namespace

template <class T>
bool Compiler::read_as(const json::Value& value, T& into, std::string_view key) {
  json::Findings findings;
  if (json::read(value, into, findings)) return true;
  complain(key, findings.problems);
  return false;
}

std::optional<Link> Compiler::make_link(const plugin::PluginType& type, const json::Value& config,
                                        std::string_view key) {
  json::Findings findings;
  json::Reader reader(findings, "/plugins/" + std::string(type.name));
  plugin::Meta meta;
  Link link;
  link.type = &type;
  link.priority = type.priority;
  link.looks_into_body = plugin::mentions_body_variable(config);
  std::unique_ptr<const plugin::Plugin> made;
  json::Value own;
  if (plugin::split_meta(config, own, meta, reader)) {
    if (meta.disable) return Link();
    made = type.make(own, reader, key);
  }
  if (made == nullptr) {
    complain(key, findings.problems);
    return std::nullopt;
  }
  if (meta.priority) link.priority = static_cast<int>(*meta.priority);
  link.plugin = std::shared_ptr<const plugin::Plugin>(
      made.release(), [dropped = dropped_](const plugin::Plugin* p) { dropped(p); });
  if (!meta.filter.is_null() || !meta.error_response.is_null()) {
    auto compiled = std::make_shared<LinkMeta>();
    if (!meta.filter.is_null()) {
      auto filter = plugin::Expression::compile(meta.filter, plugin::find_variable);
      if (!filter) {
        leave_out(key, "/plugins/" + std::string(type.name) + "/_meta/filter" + filter.error().path + " " +
                           filter.error().what);
        return std::nullopt;
      }
      compiled->filter = std::move(*filter);
      compiled->has_filter = true;
    }
    if (!meta.error_response.is_null()) {
      const bool text = meta.error_response.is_string();
      compiled->error_body = text ? meta.error_response.as_string() : json::dump(meta.error_response) + "\n";
      compiled->error_type = text ? "text/plain; charset=utf-8" : "application/json";
      compiled->has_error = true;
    }
    link.meta = std::move(compiled);
  }
  return link;
}

std::optional<Chain> Compiler::make_chain(Making& making, const model::PluginConfigs& plugins,
                                          const Chain* old_chain) {
  std::vector<Link> links;
  Chain::Hidden hidden;
  std::optional<json::Value> old;
  if (making.old != nullptr && old_chain != nullptr) {
    const std::string& text = making.old->resolved.empty() ? making.old->text : making.old->resolved;
    if (auto parsed = json::parse(text)) old = std::move(*parsed);
    json::Findings scratch;
    if (old && making.old->resolved.empty())  // what is in the environment stays the same
      model::resolve_secret_references(*model::find_resource(making.kind), *old, scratch);
  }
  for (const auto& [name, config] : plugins.list) {
    const auto subsystem =
        making.kind == "stream_routes" ? plugin::Subsystem::stream : plugin::Subsystem::http;
    const auto* type = registry_.find(name, subsystem);
    if (type == nullptr) {
      log::warn("{}: plugin {} is not one of those that run here; it is left out", making.key, name);
      continue;
    }
    if (const auto* before = old_config(old, name); before != nullptr && *before == config) {
      const auto kept = std::ranges::find(old_chain->links(), type, &Link::type);
      if (kept != old_chain->links().end()) {
        links.push_back(*kept);
        if (!make_ways(making, links.back())) return std::nullopt;
        continue;
      }
    }
    auto link = make_link(*type, config, making.key);
    if (!link || !make_ways(making, *link)) return std::nullopt;
    if (link->plugin != nullptr) links.push_back(std::move(*link));
    else hidden.push_back(type);
  }
  return Chain(std::move(links), std::move(hidden));
}

// Made anew even where the plugin object is kept: names in it may have other addresses by now.
bool Compiler::make_ways(Making& making, Link& link) {
  link.ways.clear();
  if (link.plugin == nullptr) return true;
  for (const plugin::UpstreamUse& use : link.plugin->upstreams()) {
    Way way;
    if (use.written) {
      way.own = make_destination(making, *use.written);
      if (way.own == nullptr) return false;
    } else {
      way.slot = slot_of(use.id);
    }
    link.ways.push_back(std::move(way));
  }
  return true;
}

template <class T>
bool Compiler::make_plugins(Making& making, const json::Value& value) {
  T written;
  if (!read_as(value, written, making.key)) return false;
  auto chain = make_chain(making, written.plugins, making.old == nullptr ? nullptr : &making.old->chain);
  if (!chain) return false;
  making.fresh.chain = std::move(*chain);
  return true;
}
template bool Compiler::make_plugins<model::PluginConfig>(Making&, const json::Value&);
template bool Compiler::make_plugins<model::ConsumerGroup>(Making&, const json::Value&);
template bool Compiler::make_plugins<model::GlobalRule>(Making&, const json::Value&);

bool Compiler::find_client_certificate(Making& making, model::UpstreamTls& tls) {
  uses(making, "ssls", tls.client_cert_id);
  const Item* item = find("ssls", tls.client_cert_id.text);
  if (item == nullptr || item->ssl == nullptr) {
    leave_out(making.key, "/tls/client_cert_id names ssl " + tls.client_cert_id.text +
                              ", which is not there or not of type client");
    return false;
  }
  tls.client_cert = item->ssl->cert;
  tls.client_key = item->ssl->key;
  return true;
}

std::shared_ptr<const Destination> Compiler::make_destination(Making& making, model::Upstream written) {
  if (written.tls && !written.tls->client_cert_id.empty() && !find_client_certificate(making, *written.tls))
    return nullptr;
  const auto names = upstream::names_of(written);
  making.fresh.names.insert(making.fresh.names.end(), names.begin(), names.end());
  const std::string id = making.kind == "upstreams" ? std::string(making.id) : std::string(making.key);
  const auto lookup = [this](std::string_view name) { return names_.find(name); };
  auto built = upstream::build(written, id, hash64(making.key), lookup,
                               {settings_.upstream_verify, settings_.roots, std::string(making.key),
                                settings_.health_checks ? &health_ : nullptr});
  if (!built) {
    leave_out(making.key, built.error().what);
    return nullptr;
  }
  auto made = std::make_shared<Destination>();
  made->upstream = std::move(*built);
  if (written.checks && settings_.health_checks)
    making.fresh.checks = {std::string(making.key), written.checks->active,
                           upstream::health_targets(*made->upstream), settings_.roots};
  switch (written.hash_on) {
    case model::HashOn::vars: made->hash_variable = plugin::find_variable(written.key); break;
    case model::HashOn::header: made->hash_variable = plugin::find_variable("http_" + written.key); break;
    case model::HashOn::cookie: made->hash_variable = plugin::find_variable("cookie_" + written.key); break;
    case model::HashOn::vars_combinations:
      made->hash_template = plugin::Template::compile(written.key, plugin::find_variable);
      break;
    case model::HashOn::consumer: break;
  }
  return made;
}

bool Compiler::make_upstream(Making& making, const json::Value& value) {
  model::Upstream written;
  if (!read_as(value, written, making.key)) return false;
  making.fresh.destination = make_destination(making, written);
  return making.fresh.destination != nullptr;
}

bool Compiler::make_service(Making& making, const json::Value& value) {
  model::Service written;
  if (!read_as(value, written, making.key)) return false;
  auto chain = make_chain(making, written.plugins, making.old == nullptr ? nullptr : &making.old->chain);
  if (!chain) return false;
  Item& fresh = making.fresh;
  fresh.chain = std::move(*chain);
  fresh.info.id = making.id;
  fresh.info.name = written.name;
  fresh.hosts = written.hosts;
  fresh.websocket = written.enable_websocket;
  if (!written.upstream_id.empty()) {  // goes before an upstream written beside it
    fresh.slot = slot_of(written.upstream_id.text);
  } else if (written.upstream) {
    fresh.destination = make_destination(making, *written.upstream);
    if (fresh.destination == nullptr) return false;
  }
  return true;
}

// Lays the route over its plugin_config and its service; what does not exist refuses requests.
Chain Compiler::merge_lower(Making& making, const model::Route& written, Chain own, RouteTarget& target) {
  uses(making, "plugin_configs", written.plugin_config_id);
  uses(making, "services", written.service_id);
  if (!written.plugin_config_id.empty()) {
    if (const auto* config = find("plugin_configs", written.plugin_config_id.text))
      own = Chain::merge(own, config->chain);
    else target.refusal = 503;
  }
  if (!written.service_id.empty()) {
    if (const auto* service = find("services", written.service_id.text))
      own = Chain::merge(own, service->chain);
    else target.refusal = 404;
  }
  return own;
}

void Compiler::find_target(Making& making, const model::Route& written, RouteTarget& target) {
  const Item* service = written.service_id.empty() ? nullptr : find("services", written.service_id.text);
  target.info.id = making.id;
  target.info.name = written.name;
  target.info.service_id = written.service_id.text;
  if (service != nullptr) target.info.service_name = service->info.name;
  target.websocket =
      written.enable_websocket.value_or(service != nullptr && service->websocket.value_or(false));
  if (written.timeout) {
    target.has_timeouts = true;
    target.timeouts = timeouts_of(*written.timeout);
  }
  if (!written.upstream_id.empty()) {
    target.slot = slot_of(written.upstream_id.text);
  } else if (written.upstream) {
    target.own = make_destination(making, *written.upstream);
  } else if (service != nullptr) {
    target.own = service->destination;
    target.slot = service->slot;
  }
}

bool Compiler::make_route(Making& making, const json::Value& value) {
  model::Route written;
  if (!read_as(value, written, making.key)) return false;
  const bool had = making.old != nullptr && making.old->target != nullptr;
  auto chain = make_chain(making, written.plugins, had ? &making.old->target->chain : nullptr);
  if (!chain) return false;
  auto target = std::allocate_shared<RouteTarget>(SlabAllocator<RouteTarget>());
  target->chain = merge_lower(making, written, std::move(*chain), *target);
  find_target(making, written, *target);
  if (making.fresh.refuses) target->refusal = 503;
  if (written.upstream && written.upstream_id.empty() && target->own == nullptr) return false;
  making.fresh.target = target;
  if (written.status == 0) return true;

  RouteSpec spec;
  spec.id = making.id;
  spec.uris = written.uris;
  if (!written.uri.empty()) spec.uris.push_back(written.uri);
  spec.hosts = written.hosts;
  if (!written.host.empty()) spec.hosts.push_back(written.host);
  if (spec.hosts.empty() && !written.service_id.empty()) {
    if (const auto* service = find("services", written.service_id.text)) spec.hosts = service->hosts;
  }
  spec.methods = method_bits(written.methods);
  spec.priority = written.priority;
  std::vector<std::string> addresses = written.remote_addrs;
  if (!written.remote_addr.empty()) addresses.push_back(written.remote_addr);
  for (const auto& address : addresses) {
    if (const auto cidr = Cidr::parse(address)) spec.remote_addresses.push_back(*cidr);
  }
  if (written.vars.is_array()) {
    auto vars = plugin::Expression::compile(written.vars, plugin::find_variable);
    if (!vars) {
      leave_out(making.key, "/vars" + vars.error().path + " " + vars.error().what);
      return false;
    }
    spec.vars = std::move(*vars);
  }
  spec.target = std::move(target);
  auto route = Route::make(std::move(spec), settings_.router);
  if (!route) {
    leave_out(making.key, route.error().what);
    return false;
  }
  making.fresh.route = *route;
  return true;
}

bool Compiler::add_consumer_plugin(Making& making, const plugin::PluginType& type, const json::Value& config,
                                   ConsumerEntry& entry) {
  json::Findings findings;
  json::Reader reader(findings, "/plugins/" + std::string(type.name));
  std::string credential;
  auto compiled = type.make_consumer(config, reader, credential);
  if (compiled == nullptr) {
    complain(making.key, findings.problems);
    return false;
  }
  entry.consumer.auth.emplace_back(*type.index, std::move(compiled));
  making.fresh.credentials.push_back(Snapshot::credential_key(*type.index, credential));
  return true;
}

bool Compiler::make_consumer(Making& making, const json::Value& value) {
  model::Consumer written;
  if (!read_as(value, written, making.key)) return false;
  auto entry = std::make_shared<ConsumerEntry>();
  entry->consumer.name = written.username;
  entry->consumer.group_id = written.group_id.text;
  entry->consumer.labels = written.labels;
  for (const auto& [name, text] : written.labels) {
    if (name == "custom_id") entry->consumer.custom_id = text;
  }
  entry->consumer.revision = static_cast<std::uint64_t>(making.fresh.revision);
  model::PluginConfigs ordinary;
  for (auto& [name, config] : written.plugins.list) {
    const auto* type = registry_.find(name);
    if (type == nullptr || type->make_consumer == nullptr) {
      ordinary.list.emplace_back(name, std::move(config));
    } else if (!add_consumer_plugin(making, *type, config, *entry)) {
      return false;
    }
  }
  const bool had = making.old != nullptr && making.old->consumer != nullptr;
  auto chain = make_chain(making, ordinary, had ? &making.old->consumer->chain : nullptr);
  if (!chain) return false;
  entry->chain = std::move(*chain);
  uses(making, "consumer_groups", written.group_id);
  if (!written.group_id.empty()) {
    if (const auto* group = find("consumer_groups", written.group_id.text))
      entry->chain = Chain::merge(entry->chain, group->chain);
    else entry->consumer.refusal = 503;
  }
  making.fresh.consumer = std::move(entry);
  return true;
}

// The consumer once more, known by something else.
bool Compiler::make_credential(Making& making, const json::Value& value) {
  model::Credential written;
  if (!read_as(value, written, making.key)) return false;
  const std::string owner(model::owner_of(*model::find_resource("credentials"), making.id));
  uses(making, "consumers", {owner});
  const Item* consumer = find("consumers", owner);
  if (consumer == nullptr || consumer->consumer == nullptr) {
    log::warn("{}: there is no consumer {}; it lets nobody in", making.key, owner);
    return true;
  }
  auto entry = std::make_shared<ConsumerEntry>(*consumer->consumer);
  entry->consumer.auth.clear();
  entry->consumer.credential_id = making.id.substr(making.id.rfind('/') + 1);
  for (const auto& [name, config] : written.plugins.list) {
    const auto* type = registry_.find(name);
    if (type == nullptr || type->make_consumer == nullptr) {
      log::warn("{}: plugin {} is not one of those that run here; it is left out", making.key, name);
    } else if (!add_consumer_plugin(making, *type, config, *entry)) {
      return false;
    }
  }
  making.fresh.consumer = std::move(entry);
  return true;
}

bool Compiler::make_ssl(Making& making, const json::Value& value) {
  auto written = std::make_shared<model::Ssl>();
  if (!read_as(value, *written, making.key)) return false;
  if (written->type == model::Ssl::Type::client) {
    making.fresh.ssl = std::move(written);
    return true;
  }
  if (written->status == 0) return true;
  auto certificate = make_certificate(std::string(making.id), *written, settings_.tls);
  if (!certificate) {
    leave_out(making.key, certificate.error().what);
    return false;
  }
  making.fresh.certificate = std::move(*certificate);
  return true;
}

bool Compiler::make_metadata(Making& making, const json::Value& value) {
  const auto* type = registry_.find(making.id);
  if (type == nullptr || type->make_metadata == nullptr) {
    log::warn("{}: plugin {} does not run here, or has no metadata; it is left out", making.key, making.id);
    return true;
  }
  json::Value config = value;
  for (const std::string_view own : {"id", "create_time", "update_time"}) config.erase(own);
  json::Findings findings;
  json::Reader reader(findings);
  making.fresh.metadata = type->make_metadata(config, reader);
  complain(making.key, findings.problems);
  return making.fresh.metadata != nullptr;
}

}  // namespace sluice::gateway
