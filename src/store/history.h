// SPDX-License-Identifier: Apache-2.0
// What a store remembers of its past. Every transaction that changes something is a revision; every key it
// changed is a record, with what stood there before and after, so that any part of the history explains
// itself without the rest. Plain data, any thread.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace sluice::store {

// Counts committed transactions that wrote something; 0 is the empty store.
using Revision = std::int64_t;

// Who has changed something.
struct Author {
  std::string name;     // of the key; "outside": somebody else who writes to the same store
  std::string address;  // of the client; "" when it is not known
};

struct Record {
  Revision revision = 0;
  std::int64_t ordinal = 0;  // within the revision, from 1
  std::int64_t at_ms = 0;    // Unix time
  Author author;
  std::string note;  // what the revision was for: "rollback to revision 7"; "" for a plain write
  std::string key;
  std::optional<std::string> before, after;  // nothing: the key was not there
};

// Records are asked for in slices, the latest first, so that a long history never stops the store.
struct HistoryQuestion {
  enum class Values : std::uint8_t { left_out, included };  // left out: `before` and `after` are empty texts
  struct Place {
    Revision revision = std::numeric_limits<Revision>::max();
    std::int64_t ordinal = 0;
  };
  Revision since = 0;  // records of later revisions
  Place before;        // and of earlier places
  std::string prefix;  // of their keys
  Values values = Values::included;
  std::size_t limit = 1000;  // records looked at, 1 to 10000
};

struct HistorySlice {
  std::vector<Record> records;
  bool more = false;  // ask again, before `next`
  HistoryQuestion::Place next;
  Revision kept_since = 0;  // what the store held at this revision and at later ones can be told
};

// How much is kept. What is over is forgotten, the oldest first, a few records with every write.
struct HistoryLimits {
  std::int64_t revisions_max = 50'000;
  Duration age_max = std::chrono::hours(24 * 180);
  std::uint64_t bytes_max = std::uint64_t{1} << 30;  // of values, before and after
};

}  // namespace sluice::store
