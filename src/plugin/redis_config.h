// SPDX-License-Identifier: Apache-2.0
// Where limits are counted: in this process, or in Redis, a single server, one that sentinels name, or a
// cluster; with the fields that say so, as APISIX has them. Plain values, any thread.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "json/fields.h"

namespace sluice::plugin {

enum class Policy : std::uint8_t { local, redis, redis_cluster, redis_sentinel };
json::Names enum_names(Policy);

struct SentinelAddress {
  std::string host;
  std::uint16_t port = 26379;
  void describe(json::Fields& field);
};

struct RedisConfig {
  Policy policy = Policy::local;
  std::string host, username, password, sentinel_username, sentinel_password, master_name, cluster_name;
  std::uint16_t port = 6379;
  std::uint32_t database = 0;
  std::int64_t timeout = 1000, connect_timeout = 1000, read_timeout = 1000;  // milliseconds
  std::int64_t keepalive_timeout = 10000;
  std::size_t keepalive_pool = 100;
  std::string role = "master";
  bool ssl = false, ssl_verify = false, cluster_ssl = false, cluster_ssl_verify = false;
  std::vector<std::string> cluster_nodes;  // host:port
  std::vector<SentinelAddress> sentinels;

  void describe(json::Fields& field);
  bool is_local() const { return policy == Policy::local; }
};

}  // namespace sluice::plugin
