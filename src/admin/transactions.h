// SPDX-License-Identifier: Apache-2.0
// Many writes at once, all or nothing: what POST /transactions takes, and going back to an earlier revision
// (docs/versions.md). Both are a change set that is drafted, checked and stored, anew when what it was
// drafted from has changed meanwhile. Lives on the control thread, longer than its tasks.
#pragma once
#include "admin/call.h"
#include "admin/change_set.h"
#include "admin/history.h"
#include "admin/operations.h"
#include "plugin/status.h"

namespace sluice::admin {

class Transactions {
 public:
  static constexpr std::size_t operations_max = 10'000;
  static constexpr std::size_t body_max = std::size_t{16} << 20;

  Transactions(Desk& desk, History& history, plugin::Status& status)
      : desk_(desk), history_(history), status_(status) {}

  // POST /transactions.
  async::Task<http::Reply> run(Call call);
  // POST /history/REVISION/rollback, of everything or of `?resource=`.
  async::Task<http::Reply> roll_back(Call call);

 private:
  // A revision to go back to.
  struct Target {
    store::Revision revision = 0;
    std::string name;  // "routes/1"; "": everything
  };
  // No value: what was read has changed meanwhile.
  async::Task<std::optional<http::Reply>> attempt(Call call, const Operations* operations);
  async::Task<std::optional<http::Reply>> attempt_rollback(Call call, Target target);
  static void add_draft_back(ChangeSet& changes, const std::string& key, Changes::Change change,
                             Draft draft);
  // What to do when `order.if_revision` does not hold.
  enum class Moved : std::uint8_t { refuse, again };
  async::Task<std::optional<http::Reply>> commit(Call call, ChangeSet* changes, ChangeSet::Order order,
                                                 Moved moved);

  Desk& desk_;
  History& history_;
  plugin::Status& status_;
};

}  // namespace sluice::admin
