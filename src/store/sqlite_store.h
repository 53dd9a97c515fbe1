// SPDX-License-Identifier: Apache-2.0
// The embedded store: one thread owns the SQLite connection and takes what is asked from a queue. All that
// waits is written in one SQLite transaction and answered when that is on disk (group commit), so a burst of
// writes costs one flush. Answers and changes go to the loop as one message, changes first. The loop outlives
// the store.
#pragma once
#include <memory>
#include <string>

#include "async/loop.h"
#include "store/store.h"
#include "store/tables.h"

namespace sluice::store {

// Requests that may wait; one more is refused with ErrorKind::limit.
inline constexpr std::size_t queue_max = 10'000;

// The error is one sentence for the operator: damaged, full, not writable, written by a newer version.
Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options, async::Loop& loop);

// `sluice backup`: copies a store that a running gateway may be using.
Result<> backup_sqlite(const std::string& store_path, const std::string& to);

}  // namespace sluice::store
