// SPDX-License-Identifier: Apache-2.0
// Until when entries are kept, in SQLite: a wall-clock time beside the key, so that it survives a restart.
// Part of `Tables`, whose transactions it takes part in; store thread.
#pragma once
#include <limits>
#include <string>
#include <vector>

#include "store/database.h"

namespace sluice::store {

class LeaseTable {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  static Result<> create(Database& database);
  Result<> prepare(Database& database);
  // When the first entry is due, Unix time in milliseconds; `never` without any.
  std::int64_t next_ms() const { return next_ms_; }

  // ---- inside a transaction ----
  // `never`: the entry is kept until somebody removes it.
  Result<> set(const std::string& key, std::int64_t until_ms);
  // Keys that are due, the earliest first; some of them when they are many.
  Result<std::vector<std::string>> due(std::int64_t now_ms);
  // Behind removals, and behind a rollback.
  Result<> refresh();

 private:
  std::int64_t next_ms_ = never;
  Statement set_, unset_, due_, next_;
};

}  // namespace sluice::store
