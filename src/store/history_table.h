// SPDX-License-Identifier: Apache-2.0
// The history in SQLite: records written beside the change they tell of, read in slices, forgotten when they
// are too many, too old or too large. Part of `Tables`, whose transactions it takes part in; store thread.
#pragma once
#include <string>
#include <vector>

#include "store/database.h"
#include "store/store.h"

namespace sluice::store {

class HistoryTable {
 public:
  // Creates what it needs. `since` is the revision of the store at that moment.
  static Result<> create(Database& database, Revision since);
  Result<> prepare(Database& database, const HistoryLimits& limits);

  // ---- inside a transaction ----
  Result<> write(const Record& record, Revision created);
  // Forgets the oldest records that are over a limit, in proportion to what was written, and saves its state.
  Result<> finish(Revision current, std::int64_t now_ms);
  void committed() { saved_ = state_; }
  void rolled_back() { state_ = saved_, written_ = 0; }

  // Puts what `how` makes of them into the place of all values.
  Result<> rewrite(Database& database, const Resealer& how);

  Result<HistorySlice> read(const HistoryQuestion& question);
  // ErrorKind::not_found when the history does not reach back that far.
  Result<std::vector<Change>> changes_since(Revision from, Revision current);

 private:
  struct State {
    Revision kept_since = 0;
    std::int64_t bytes = 0;
    bool operator==(const State&) const = default;
  };
  bool is_over(Revision revision, std::int64_t at_ms, std::int64_t bytes_left, Revision current,
               std::int64_t now_ms) const;
  Result<> forget(Revision current, std::int64_t now_ms);

  HistoryLimits limits_;
  State state_, saved_;
  std::int64_t written_ = 0;  // records since the last commit
  Statement write_, read_, since_, oldest_, forget_, save_;
};

}  // namespace sluice::store
