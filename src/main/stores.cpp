// SPDX-License-Identifier: Apache-2.0
#include "main/stores.h"

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "json/text.h"
#include "main/pem_file.h"
#include "main/seals.h"
#include "store/etcd_store.h"
#include "store/file_store.h"
#include "store/sealed_store.h"
#include "store/sqlite_store.h"

namespace sluice::main {
namespace {

using Opened = Result<std::unique_ptr<store::Store>>;

// An etcd takes 2 GiB in all, as it comes.
constexpr std::uint64_t etcd_history_bytes_max = std::uint64_t{256} << 20;

// Keys of the resources that a value names, and of the one it belongs to. Every member that names one ends
// in "_id".
std::vector<std::string> references_in(const plugin::Validator& validator, std::string_view key,
                                       std::string_view value) {
  std::vector<std::string> keys;
  if (auto owner = model::owner_key_of(key); !owner.empty()) keys.push_back(std::move(owner));
  const auto parts = model::split_key(key);
  if (parts.resource == nullptr || value.find("_id\"") == value.npos) return keys;
  const auto body = json::parse(value);
  if (!body) return keys;
  json::Findings findings;
  validator.check(*parts.resource, parts.id, *body, findings);
  for (const auto& reference : findings.references) {
    if (const auto* target = model::find_resource(reference.resource))
      keys.push_back(model::key_of(*target, reference.id));
  }
  return keys;
}

Result<std::shared_ptr<const net::TlsContext>> etcd_tls(const Config& config, const std::string& prefix) {
  net::TlsContext::Client options;
  options.verify = config.etcd_tls.verify;
  const auto read = [&](const std::string& path, std::string_view key, std::string& into) -> Result<> {
    if (path.empty()) return {};
    auto text = read_pem_file(path, prefix, key);
    if (!text) return std::unexpected(text.error());
    into = std::move(*text);
    return {};
  };
  auto done = read(config.etcd_tls.certificate, "/deployment/etcd/tls/cert", options.certificate);
  if (done) done = read(config.etcd_tls.key, "/deployment/etcd/tls/key", options.key);
  if (done && config.trusted_certificate != "system")
    done = read(config.trusted_certificate, "/apisix/ssl/ssl_trusted_certificate", options.authorities);
  if (!done) return std::unexpected(done.error());
  return net::TlsContext::client(options);
}

// What was written without a key, or with one that was on its way out when a process ended, is sealed first.
Opened open_embedded_store(const Config& config, const std::string& prefix, const StoreNeeds& needs) {
  auto keys = DataKeys::load_or_make(prefix + "/data/data.key");
  if (!keys) return std::unexpected(keys.error());
  const bool stale = keys->stale();
  auto seal = seal_with_data_keys(needs.secrets, std::move(*keys), config.encryption.enabled);
  const bool by_api = config.provider == StoreProvider::api;
  if (by_api && std::filesystem::exists(prefix + "/conf/apisix.yaml")) {
    log::warn("conf/apisix.yaml is not read: with role_traditional/config_provider yaml the configuration is "
              "put through PUT /apisix/admin/configs; role data_plane reads the file");
  }
  store::SqliteOptions options{.path = prefix + (by_api ? "/data/configs.db" : "/data/sluice.db"),
                               .history = config.history};
  if (stale) options.rewrite = seal->resealer();
  auto opened = store::open_sqlite(std::move(options), needs.control);
  if (!opened) return opened;
  if (stale) {
    if (auto forgotten = seal->forget_old_keys(); !forgotten) return std::unexpected(forgotten.error());
  }
  return store::seal_store(std::move(*opened), std::move(seal));
}

Opened open_etcd_store(const Config& config, const std::string& prefix, const StoreNeeds& needs) {
  store::EtcdPlace place;
  place.options = config.etcd;
  auto tls = etcd_tls(config, prefix);
  if (!tls) return std::unexpected(tls.error());
  place.options.tls = std::move(*tls);
  place.kept_at = prefix + "/data/etcd.db";
  if (config.admin) {
    place.history = config.history;
    place.history->bytes_max = std::min(place.history->bytes_max, etcd_history_bytes_max);
  }
  place.references = [&validator = needs.validator](std::string_view key, std::string_view value) {
    return references_in(validator, key, value);
  };
  auto resolve = [&names = needs.names, &control = needs.control](std::string name, Instant deadline) {
    return names.resolve_for(control, std::move(name), deadline);
  };
  auto opened =
      store::open_etcd(std::move(place), needs.control, net::Network::system(), std::move(resolve));
  if (!opened) return opened;
  return store::seal_store(std::move(*opened), seal_with_keyring(needs.secrets, config.encryption));
}

store::FilePlace file_of(const Config& config, const std::string& prefix,
                         const plugin::Validator& validator) {
  store::FilePlace place;
  const bool yaml = config.provider == StoreProvider::yaml;
  place.format = yaml ? store::FileFormat::yaml : store::FileFormat::json;
  place.path = prefix + (yaml ? "/conf/apisix.yaml" : "/conf/apisix.json");
  place.check = [&validator](const model::Resource& resource, std::string_view id, const json::Value& body,
                             json::Findings& findings) { validator.check(resource, id, body, findings); };
  return place;
}

}  // namespace

Opened open_store(const Config& config, const std::string& prefix, StoreNeeds needs) {
  switch (config.provider) {
    case StoreProvider::embedded:
    case StoreProvider::api:
      return open_embedded_store(config, prefix, needs);
    case StoreProvider::etcd:
      return open_etcd_store(config, prefix, needs);
    default:
      return store::open_file(file_of(config, prefix, needs.validator), needs.control);
  }
}

json::Value describe_standing(const store::Standing& standing, Instant now) {
  if (standing.provider == "embedded") return nullptr;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - standing.since).count();
  json::Value told = json::Value::object({{"provider", standing.provider},
                                          {"reachable", standing.reachable},
                                          {"loaded", standing.loaded},
                                          {"since_seconds", seconds}});
  if (!standing.what.empty()) told.set("error", standing.what);
  return told;
}

json::Value named_as_stored(json::Value checkers, std::string_view provider) {
  if (provider != "yaml" && provider != "json") return checkers;
  for (auto& checker : checkers.as_array())
    checker.set("name", std::string(checker.text("name").substr(model::key_prefix.size() - 1)));
  return checkers;
}

}  // namespace sluice::main
