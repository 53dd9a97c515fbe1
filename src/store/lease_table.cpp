// SPDX-License-Identifier: Apache-2.0
#include "store/lease_table.h"

#include <algorithm>

namespace sluice::store {

Result<> LeaseTable::create(Database& database) {
  return database.run(
      "CREATE TABLE lease (key TEXT PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID;"
      "CREATE INDEX lease_until ON lease (until_ms);");
}

Result<> LeaseTable::prepare(Database& database) {
  struct {
    Statement& statement;
    std::string_view sql;
  } all[]{
      {set_, "INSERT OR REPLACE INTO lease VALUES (?, ?)"},
      {unset_, "DELETE FROM lease WHERE key=?"},
      {due_, "SELECT key FROM lease WHERE until_ms<=? ORDER BY until_ms LIMIT 500"},
      {next_, "SELECT until_ms FROM lease ORDER BY until_ms LIMIT 1"},
  };
  for (auto& [statement, sql] : all) {
    auto prepared = Statement::prepare(database, sql);
    if (!prepared) return std::unexpected(prepared.error());
    statement = std::move(*prepared);
  }
  return refresh();
}

Result<> LeaseTable::set(const std::string& key, std::int64_t until_ms) {
  if (until_ms == never) return next_ms_ == never ? Result<>() : unset_.bind(0, key).run();
  next_ms_ = std::min(next_ms_, until_ms);
  return set_.bind(0, key).bind(1, until_ms).run();
}

Result<std::vector<std::string>> LeaseTable::due(std::int64_t now_ms) {
  std::vector<std::string> keys;
  due_.bind(0, now_ms);
  for (;;) {
    auto row = due_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    keys.push_back(due_.text(0));
  }
  due_.reset();
  return keys;
}

Result<> LeaseTable::refresh() {
  auto row = next_.step();
  if (!row) return std::unexpected(row.error());
  next_ms_ = *row ? next_.number(0) : never;
  next_.reset();
  return {};
}

}  // namespace sluice::store
