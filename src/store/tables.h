// SPDX-License-Identifier: Apache-2.0
// The store's tables in SQLite and what is done with them: opening with all checks, reading, writing one
// transaction, history. Knows nothing of threads and loops; a `Tables` is used by one thread at a time (the
// store thread).
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/history_table.h"
#include "store/lease_table.h"
#include "store/store.h"

namespace sluice::store {

struct SqliteOptions {
  std::string path;
  HistoryLimits history;
  Resealer rewrite;  // done with all values before anything else, when there is one
};

class Tables {
 public:
  Tables(const Tables&) = delete;
  ~Tables();
  // Opens, creates when absent (mode 0600), checks version and integrity, that the disk takes a write, and
  // that no other process uses the store.
  static Result<std::unique_ptr<Tables>> open(const SqliteOptions& options);

  Result<> begin() { return database_.run("BEGIN IMMEDIATE"); }
  // Commits and is durable. After an error nothing since `begin` has happened.
  Result<> commit();
  void rollback();

  Result<std::optional<Entry>> get(const std::string& key);
  Result<Page> list(const std::string& prefix, const std::string& after, std::size_t limit);
  Result<HistorySlice> history(const HistoryQuestion& question) { return history_.read(question); }
  // Changes after `from`; ErrorKind::not_found when the history does not reach back that far.
  Result<std::vector<Change>> changes_since(Revision from) {
    return history_.changes_since(from, revision_);
  }
  // Inside begin … commit. Appends what changed.
  Result<Committed> apply(const Transaction& transaction, std::int64_t now_ms, std::vector<Change>& changes);
  // The same: removes what has been kept for its time, and what belongs to it.
  Result<> remove_due(std::int64_t now_ms, std::vector<Change>& changes);
  // When there is something to remove, Unix time in milliseconds.
  std::int64_t next_due_ms() const { return leases_.next_ms(); }
  Result<std::int64_t> next_id();
  // The same: every value, and those of the history, become what `how` makes of them. What was there before
  // is overwritten in the file, too.
  Result<> rewrite(const Resealer& how);
  Result<> backup(const std::string& path);
  Revision revision() const { return revision_; }

  // A consistent copy of the store at `from`, which another process may be using.
  static Result<> backup_file(const std::string& from, const std::string& to);
  static Result<Revision> scan(const std::string& path, const std::string& prefix,
                               const std::function<void(Entry&&)>& sink);

 private:
  Tables() = default;
  Result<> lock();
  Result<> create(std::int64_t version);
  Result<> bring_up_to_date(std::int64_t version);
  Result<> prepare();
  Result<bool> holds(const Condition& condition, const Transaction& transaction, Committed& result);
  Result<> write(const Write& write, const Transaction& transaction, Committed& result,
                 std::vector<Change>& changes);
  Result<> set_references(const Write& write);
  Result<> save_meta(std::string_view name, std::int64_t value);

  SqliteOptions options_;
  int lock_ = -1;  // of PATH.lock: held while this process uses the store
  Database database_;
  Revision revision_ = 0;
  Revision revision_saved_ = 0;  // to go back to after a rollback
  std::int64_t next_id_ = 0;
  std::int64_t ids_reserved_ = 0;  // below this no id needs a write
  std::int64_t now_ms_ = 0;        // of the latest transaction
  bool rewritten_ = false;         // since the last commit
  HistoryTable history_;
  LeaseTable leases_;
  Statement get_, list_, put_, remove_, refer_, unrefer_, referrers_, meta_;
};

}  // namespace sluice::store
