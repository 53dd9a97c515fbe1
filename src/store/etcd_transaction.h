// SPDX-License-Identifier: Apache-2.0
// One transaction against etcd: conditions become compares. What must be unreferenced is looked up in the
// mirror and guarded by a compare that nothing below the prefix was written since, tried again when it was.
// What stood there before goes into the record of the history that is written with it, under a compare that
// it still does. Lives in the frame of whoever runs it, on the store's loop.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>

#include "async/signal.h"
#include "json/value.h"
#include "store/etcd_client.h"
#include "store/etcd_follower.h"
#include "store/etcd_record.h"
#include "store/mirror.h"

namespace sluice::store {

class EtcdTransaction {
 public:
  // `moved` tells that the mirror has changed; without `history` nothing is recorded.
  EtcdTransaction(EtcdClient& client, const EtcdFollower& follower, Mirror& mirror,
                  async::Signal& moved, const etcd::HistoryKeys* history, Transaction transaction);
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
  json::Value question();
  // What the answer tells when a compare did not hold: the place of that range in it.
  std::size_t look(etcd::RangeQuestion question);
  void add_condition(const Condition& condition, json::Value& compare);
  void add_record(json::Value& compare, json::Value& success) const;
  bool is_recorded(std::size_t write) const;
  // Takes over what stands at the keys that are written; whether that is news.
  bool learn(const etcd::TransactionAnswer& answer);
  bool is_checked(const std::string& key, Revision revision) const;
  void committed(const etcd::TransactionAnswer& answer);
  Result<Step> refused(const etcd::TransactionAnswer& answer);
  // What is written once all conditions hold.
  std::span<const Write> writes() const;
  bool holds(const Condition& condition, const etcd::TransactionAnswer& answer) const;
  const Entry* entry_in(const etcd::TransactionAnswer& answer, const std::string& key) const;

  EtcdClient& client_;
  const EtcdFollower& follower_;
  Mirror& mirror_;
  async::Signal& moved_;
  const etcd::HistoryKeys* history_;
  Transaction transaction_;
  std::vector<std::optional<Entry>> before_;  // what stands at the keys of the writes, as far as is known
  json::Value looks_;                         // asked for in case that a compare does not hold
  std::map<std::string, std::size_t> looked_at_;  // by key in etcd
  std::vector<std::string> leases_;  // of the writes; "" for good
  bool guarded_;
  Revision guarded_since_ = 0;  // of the mirror in which nobody refers
  Revision seen_ = 0;           // a write that the mirror has yet to know
  bool wrote_ = false;
  Committed result_;
};

}  // namespace sluice::store
