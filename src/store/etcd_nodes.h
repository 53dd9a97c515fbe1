// SPDX-License-Identifier: Apache-2.0
// Which gateways are on an etcd, and what each serves by: everyone tells it under a lease, so that one that
// is gone is forgotten after a minute. Beside the configuration, where APISIX sees none of it. One loop,
// which outlives it.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "async/child.h"
#include "async/loop.h"
#include "store/etcd_client.h"
#include "store/etcd_follower.h"

namespace sluice::store {

class EtcdNodes {
 public:
  EtcdNodes(async::Loop& loop, EtcdClient& client, const EtcdFollower& configuration,
            const std::string& prefix);

  // From now on `how` is asked now and then, and told when something has changed.
  void start(std::function<NodeReport()> how) {
    how_ = std::move(how);
    running_.start(run());
  }
  async::Task<Result<std::vector<NodeReport>>> read();

 private:
  async::Task<> run();
  async::Task<Result<>> tell(NodeReport report);
  async::Task<Result<>> take_lease();

  async::Loop& loop_;
  EtcdClient& client_;
  const EtcdFollower& configuration_;
  std::string folder_, key_;
  std::function<NodeReport()> how_;
  std::string lease_;
  Instant leased_{};  // when the lease was taken
  Revision told_ = 0;
  bool failing_ = false;  // it has been said
  async::Child running_;
};

}  // namespace sluice::store
