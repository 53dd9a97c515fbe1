// SPDX-License-Identifier: Apache-2.0
// The distributed store: an etcd cluster, keys and values laid out as APISIX 3.x lays them out, so that both
// can share it. Revisions are etcd's. Reads and writes go to the cluster; the watch and `scan` are served
// from a mirror that follows it, and the mirror's last good state is kept on disk, so that a node starts
// while etcd is away. Writes then fail. The loop outlives the store.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "async/loop.h"
#include "store/etcd_client.h"
#include "store/last_good.h"
#include "store/mirror.h"
#include "store/store.h"

namespace sluice::store {

struct EtcdPlace {
  EtcdOptions options;
  Mirror::References references;  // keys of the entries that a value names
  std::string kept_at;            // path of the last good configuration; "": none is kept
  std::optional<HistoryLimits> history;  // nothing: none is kept by this node
};

// Drives `loop`, which does not run yet, until everything was read, or etcd has failed `startup_tries` times
// or was silent for `timeout` (for `silence_max`, when a configuration was kept on disk): the store then
// begins with what was kept, or with nothing, and goes on trying. The error is one of the file on disk.
Result<std::unique_ptr<Store>> open_etcd(EtcdPlace place, async::Loop& loop, net::Network& network,
                                         http::Client::Resolve resolve);

}  // namespace sluice::store
