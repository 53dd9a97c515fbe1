// SPDX-License-Identifier: Apache-2.0
// The history of a store in etcd, read: heads out of the index in memory, values out of etcd. What is asked
// for is whole up to what etcd has at that moment, other gateways' writes included. One loop, which outlives
// it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "async/signal.h"
#include "store/etcd_client.h"
#include "store/etcd_follower.h"
#include "store/history_index.h"

namespace sluice::store {

class EtcdHistory {
 public:
  // `moved` is notified whenever more is known.
  EtcdHistory(async::Loop& loop, net::Network& network, const EtcdOptions& options,
              http::Client::Resolve resolve, async::Signal& moved);
  void start() { follower_.start(); }

  const etcd::HistoryKeys& keys() const { return keys_; }
  const HistoryIndex& index() const { return index_; }
  EtcdClient& client() { return client_; }
  bool in_step() const { return follower_.in_step(); }
  // Whether etcd lets this user read and write it; else nothing is recorded.
  bool is_allowed();
  // etcd has refused to.
  void refused();
  static bool is_refusal(std::string_view what);

  // Waits until the index has all that etcd has now: the revision of the latest write made with a record.
  async::Task<Result<Revision>> catch_up();
  async::Task<bool> wait_for(Revision revision);
  // Of what the index has; `catch_up` first.
  async::Task<Result<HistorySlice>> read(HistoryQuestion question);
  // Of one record; nothing when it was forgotten.
  async::Task<Result<std::optional<std::vector<etcd::Values>>>> values_of(std::string id);

 private:
  // A slice's records whose values are yet to be read.
  struct Wanted {
    struct Place {
      std::size_t record;  // in the slice
      std::size_t value;   // among the record's
    };
    std::string id;
    Revision revision = 0;
    std::vector<Place> places;
  };
  HistorySlice slice(const HistoryQuestion& question, std::vector<Wanted>& wanted) const;
  json::Value question_for(const std::vector<Wanted>& wanted) const;
  async::Task<Result<>> fill(HistorySlice* into, std::vector<Wanted> wanted);
  async::Task<Result<>> fill_some(HistorySlice* into, std::vector<Wanted> wanted);

  etcd::HistoryKeys keys_;
  async::Signal& moved_;
  HistoryIndex index_;
  EtcdClient client_;
  EtcdFollower follower_;
  bool refused_ = false;
};

}  // namespace sluice::store
