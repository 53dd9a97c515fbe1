// SPDX-License-Identifier: Apache-2.0
#include "plugin/redis_config.h"

#include "base/address.h"

namespace sluice::plugin {

json::Names enum_names(Policy) {
  static constexpr std::string_view names[]{"local", "redis", "redis-cluster", "redis-sentinel"};
  return names;
}

void SentinelAddress::describe(json::Fields& field) {
  field("host", host, "Host of a sentinel.").required().length(2, 255);
  field("port", port, "The sentinel's port.").required().at_least(1);
  field.open();
}

void RedisConfig::describe(json::Fields& field) {
  field("policy", policy,
        "Where requests are counted: in this process, exactly across its workers, or in Redis, across "
        "gateways.");
  field("redis_host", host, "Host of the server (redis).").length(2, 255);
  field("redis_port", port, "The server's port.").at_least(1);
  field("redis_username", username, "Who to log in as.").length(1, 1024);
  field("redis_password", password, "The password to log in with.").secret();
  field("redis_database", database, "Number of the database.").at_least(0);
  field("redis_timeout", timeout, "Milliseconds for one question, connecting included.").range(1, 600'000);
  field("redis_ssl", ssl, "Speaks TLS to the server.");
  field("redis_ssl_verify", ssl_verify, "Verifies the server's certificate.");
  field("redis_keepalive_timeout", keepalive_timeout,
        "Milliseconds for which an idle connection is used again.")
      .at_least(1000);
  field("redis_keepalive_pool", keepalive_pool, "Idle connections a worker keeps to each server.")
      .range(1, 10'000);
  field("redis_cluster_nodes", cluster_nodes, "Some nodes of the cluster, host:port (redis-cluster).")
      .min_items(1).items().length(2, 100);
  field("redis_cluster_name", cluster_name, "Name of the cluster, for people.");
  field("redis_cluster_ssl", cluster_ssl, "Speaks TLS to the cluster.");
  field("redis_cluster_ssl_verify", cluster_ssl_verify, "Verifies the certificates of its nodes.");
  field("redis_sentinels", sentinels, "Sentinels that know the master (redis-sentinel).").min_items(1);
  field("redis_master_name", master_name, "What they call it.").length(1, 1024);
  field("redis_role", role, "Which server to ask; a replica takes no writes.").one_of({"master", "slave"});
  field("sentinel_username", sentinel_username, "Who to log in as at the sentinels.").length(1, 1024);
  field("sentinel_password", sentinel_password, "The password to log in with there.").secret();
  field("redis_connect_timeout", connect_timeout, "Milliseconds to connect (redis-sentinel).")
      .range(1, 600'000);
  field("redis_read_timeout", read_timeout, "Milliseconds for an answer (redis-sentinel).").range(1, 600'000);
  if (!field.reading()) return;
  const auto needs = [&](Policy when, bool there, std::string_view name) {
    const std::string text(name);
    field.check_plainly(policy != when || there, name, "is missing: the policy needs it",
                        "then clause did not match");
  };
  needs(Policy::redis, !host.empty(), "redis_host");
  needs(Policy::redis_cluster, !cluster_nodes.empty(), "redis_cluster_nodes");
  needs(Policy::redis_cluster, !cluster_name.empty(), "redis_cluster_name");
  needs(Policy::redis_sentinel, !sentinels.empty(), "redis_sentinels");
  needs(Policy::redis_sentinel, !master_name.empty(), "redis_master_name");
  field.check(role == "master", "redis_role", "must be master: a replica cannot count");
  for (const std::string& node : cluster_nodes) {
    const auto parts = split_host_port(node);
    field.check(parts && parts->port, "redis_cluster_nodes", node + " is no host:port");
  }
}

}  // namespace sluice::plugin
