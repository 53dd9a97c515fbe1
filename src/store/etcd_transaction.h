// SPDX-License-Identifier: Apache-2.0
// One transaction against etcd: conditions become compares. What must be unreferenced is looked up in the
// mirror and guarded by a compare that nothing below the prefix was written since, tried again when it was.
// Lives in the frame of whoever runs it, on the store's loop.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "async/signal.h"
#include "json/value.h"
#include "store/etcd_client.h"
#include "store/etcd_follower.h"
#include "store/mirror.h"

namespace sluice::store {

class EtcdTransaction {
 public:
  // `moved` tells that the mirror has changed.
  EtcdTransaction(EtcdClient& client, const EtcdFollower& follower, const Mirror& mirror,
                  async::Signal& moved, Transaction transaction);
  // `written` is what this node wrote last: the mirror is not asked before it knows that.
  async::Task<Result<Committed>> run(Revision written);
  // Whether anything in etcd has changed by it.
  bool wrote() const { return wrote_; }

 private:
  enum class Step : std::uint8_t { decided, go_on, again };
  // Every write of a time of its own gets a lease.
  async::Task<Result<>> take_leases();
  async::Task<bool> wait_for(Revision revision);
  async::Task<Result<Step>> look_for_referrers();
  async::Task<Result<Step>> check_referrer(std::size_t condition, std::string by, Revision modified);
  async::Task<Result<Step>> attempt();
  json::Value question() const;
  void committed(const etcd::TransactionAnswer& answer);
  Result<Step> refused(const etcd::TransactionAnswer& answer);
  // What is written once all conditions hold.
  std::span<const Write> writes() const;
  bool holds(const Condition& condition, const std::vector<Entry>& found) const;

  EtcdClient& client_;
  const EtcdFollower& follower_;
  const Mirror& mirror_;
  async::Signal& moved_;
  Transaction transaction_;
  std::vector<std::string> leases_;  // of the writes; "" for good
  bool guarded_;
  Revision guarded_since_ = 0;  // of the mirror in which nobody refers
  Revision seen_ = 0;           // a write that the mirror has yet to know
  bool wrote_ = false;
  Committed result_;
};

}  // namespace sluice::store
