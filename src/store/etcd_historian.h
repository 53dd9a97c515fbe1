// SPDX-License-Identifier: Apache-2.0
// Keeps the history in etcd whole: writes that came without a record (APISIX's Admin API, etcdctl, a lease
// that ran out) are recorded in its stead, by one gateway of all; a history that cannot be whole begins anew;
// what is beyond a limit is forgotten. Works in the background; one loop, which outlives it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "async/child.h"
#include "async/signal.h"
#include "store/etcd_follower.h"
#include "store/etcd_history.h"
#include "store/mirror.h"

namespace sluice::store {

class EtcdHistorian {
 public:
  EtcdHistorian(EtcdHistory& history, const HistoryLimits& limits, const Mirror& mirror,
                const EtcdFollower& configuration, async::Signal& moved)
      : history_(history), limits_(limits), mirror_(mirror), configuration_(configuration), moved_(moved) {}

  void start() { running_.start(run()); }
  // A change of the mirror, before it is made.
  void saw(const Entry* before, const Change& change, Mirror::Told told);
  // This gateway has written a record: there may be something to forget.
  void wrote() { may_forget_ = true; }
  // Waits until all writes seen have their records; false when that takes long.
  async::Task<bool> settle();

 private:
  // A change whose record has not been seen yet.
  struct Seen {
    std::string name;  // "routes/1"
    std::optional<std::string> before, after;
    bool leased = false;        // it may have gone because its time was over
    bool compared = false;      // found by comparing with what was known at `known`
    Revision known = 0;
  };
  struct Group {
    std::vector<Seen> keys;
    Instant at;
  };
  using Groups = std::map<Revision, Group>;
  // What is asked of etcd, under the compare that nobody else has done it.
  struct Step {
    json::Value compare, operations;
  };

  // Revisions that follow one another without a record in between: they become one.
  using Run = std::vector<Revision>;

  async::Task<> run();
  async::Task<Result<>> work();
  bool has_work() const;
  bool is_settled() const;
  std::int64_t now_ms() const;
  // Changes that a record tells of, or that lie before the history.
  void drop_told();
  bool is_told(Revision revision, const Seen& seen) const;
  bool is_whole() const;
  async::Task<Result<>> begin_at(Revision revision, std::string_view why);
  async::Task<Result<>> record();
  async::Task<Result<>> resolve(Run run);
  async::Task<Result<>> forget();
  // False when another gateway has done something meanwhile.
  async::Task<Result<bool>> put(Step step);
  static json::Value question_for(Step step);
  Step beginning(Revision revision) const;
  Step recording(const std::vector<Run>& runs) const;
  Step forgetting(const HistoryIndex::Beyond& beyond) const;
  HistoryIndex::Beyond beyond() const;
  std::vector<Run> next_runs() const;
  bool is_record_between(Revision one, Revision other) const;
  etcd::Head head_of(Revision revision, const Group& group) const;
  void add_record(const Run& run, json::Value& operations) const;

  EtcdHistory& history_;
  HistoryLimits limits_;
  const Mirror& mirror_;
  const EtcdFollower& configuration_;
  async::Signal& moved_;
  Groups seen_;
  std::size_t bytes_ = 0;       // of the values in `seen_`
  bool too_many_ = false;       // more was seen than is kept in memory
  bool look_over_ = false;      // the mirror was read without anything to compare it with
  bool may_forget_ = false;
  bool failing_ = false;        // it has been said
  async::Child running_;
};

}  // namespace sluice::store
