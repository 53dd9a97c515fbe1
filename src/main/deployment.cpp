// SPDX-License-Identifier: Apache-2.0
#include "main/deployment.h"

#include <span>

#include "main/unserved.h"

namespace sluice::main {
namespace {

struct Provider {
  std::string_view name;
  StoreProvider provider;
};
constexpr Provider traditional[] = {{"embedded", StoreProvider::embedded},
                                    {"etcd", StoreProvider::etcd},
                                    {"yaml", StoreProvider::yaml}};
constexpr Provider data_plane[] = {
    {"etcd", StoreProvider::etcd}, {"yaml", StoreProvider::yaml}, {"json", StoreProvider::json}};
constexpr Provider control_plane[] = {{"etcd", StoreProvider::etcd}};

// The first of `known` is the default.
void read_provider(Section role, std::span<const Provider> known, Config& config) {
  std::string name(known.front().name), all;
  role.text("config_provider", name);
  for (const Provider& one : known) {
    if (one.name == name) {
      config.provider = one.provider;
      return;
    }
    all.append(all.empty() ? "" : ", ").append(one.name);
  }
  role.problem("config_provider", "'" + name + "' is none of " + all);
}

void read_hosts(Section& etcd, Config& config) {
  std::vector<std::string> hosts{"http://127.0.0.1:2379"};
  if (etcd.has("host")) hosts = etcd.texts("host");
  for (const std::string& host : hosts) {
    if (auto member = store::parse_member(host)) config.etcd.members.push_back(std::move(*member));
    else etcd.problem("host", "'" + host + "' is no address of an etcd; write http://10.0.0.2:2379");
  }
  if (hosts.empty()) etcd.problem("host", "must name at least one etcd, as http://10.0.0.2:2379");
}

void read_etcd(Section etcd, Config& config) {
  read_hosts(etcd, config);
  store::EtcdOptions& options = config.etcd;
  etcd.text("prefix", options.prefix);
  if (options.prefix.size() < 2 || !options.prefix.starts_with('/') || options.prefix.ends_with('/'))
    etcd.problem("prefix", "must begin with a slash and not end with one, as /apisix");
  etcd.duration("timeout", options.timeout);
  etcd.duration("watch_timeout", options.watch_timeout);
  etcd.duration("health_check_timeout", options.rest);
  for (const auto& [key, time] :
       {std::pair{"timeout", options.timeout}, {"watch_timeout", options.watch_timeout}})
    if (time <= Duration::zero()) etcd.problem(key, "must be longer than nothing");
  etcd.integer("startup_retry", options.startup_tries, 1, 1000);
  etcd.text("user", options.user);
  etcd.text("password", options.password);
  if (options.user.empty() != options.password.empty())
    etcd.problem("user", "and password belong together: write both or none");
  Section tls = etcd.section("tls");
  tls.text("cert", config.etcd_tls.certificate);
  tls.text("key", config.etcd_tls.key);
  tls.flag("verify", config.etcd_tls.verify);
  tls.text("sni", options.server_name);
  note_unserved(etcd, "deployment.etcd");
  if (config.etcd_tls.certificate.empty() != config.etcd_tls.key.empty())
    tls.problem("cert", "and key belong together: write both or none");
}

}  // namespace

void read_role(Section& deployment, Config& config) {
  std::string role = "traditional";
  deployment.text("role", role);
  for (const std::string_view other : {"role_traditional", "role_data_plane", "role_control_plane"})
    deployment.raw(other);
  if (role == "traditional") {
    read_provider(deployment.section("role_traditional"), traditional, config);
  } else if (role == "data_plane") {
    config.admin = false;
    read_provider(deployment.section("role_data_plane"), data_plane, config);
  } else if (role == "control_plane") {
    config.admin = true;
    config.traffic = false;
    read_provider(deployment.section("role_control_plane"), control_plane, config);
  } else {
    deployment.problem("role", "'" + role + "' is none of traditional, data_plane, control_plane");
  }
  read_etcd(deployment.section("etcd"), config);
  const bool has_etcd = deployment.has("etcd");
  if (has_etcd && config.provider == StoreProvider::embedded) {
    deployment.warn("etcd", "is not used: role_traditional/config_provider is embedded, the built-in store; "
                            "write etcd there, or remove this");
  }
  const bool in_file = config.provider == StoreProvider::yaml || config.provider == StoreProvider::json;
  if (in_file && config.admin) config.provider = StoreProvider::api;
}

}  // namespace sluice::main
