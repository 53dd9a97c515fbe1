// SPDX-License-Identifier: Apache-2.0
// The history in etcd as every gateway holds it: the heads of all records, by revision, and how far they
// reach. Values stay in etcd. Kept up to date by a follower; one loop.
#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/etcd_record.h"
#include "store/replica.h"

namespace sluice::store {

class HistoryIndex final : public Replica {
 public:
  struct Kept {
    std::string id;         // of the record
    std::size_t first = 0;  // place of its values among the record's
    etcd::Head head;
  };
  using Records = std::map<Revision, Kept>;

  // ---- as a follower keeps it ----
  Revision revision() const override { return revision_; }
  void reach(Revision revision) override { revision_ = std::max(revision_, revision); }
  void apply(const Change& change) override;
  std::vector<Change> replace(std::vector<Entry> entries, Revision revision, Instant now) override;

  const Records& records() const { return records_; }
  // Of the latest write that was made with a record; of the latest record of somebody else's write.
  Revision last() const { return last_; }
  Revision outside() const { return outside_; }
  // From here on the history is whole; nothing when it has no beginning yet. And the revision that said so.
  std::optional<Revision> since() const { return since_; }
  Revision since_written() const { return since_written_; }

  // Whether a record tells that `key` was written in `revision`.
  bool tells(Revision revision, std::string_view key) const;
  // The latest record after `after` that tells of `key`; null pointer when there is none.
  const Records::value_type* latest_of(std::string_view key, Revision after) const;
  // The oldest records, `most` at most, of which every revision is beyond a limit; the latest revision never
  // is. They are all there is up to `until`.
  struct Beyond {
    std::vector<std::string> ids;
    Revision until = 0;
  };
  Beyond beyond(const HistoryLimits& limits, std::int64_t now_ms, std::size_t most) const;

 private:
  void put(const std::string& key, const std::string& value, Revision created, Revision modified);
  void remove(std::string_view key);

  Records records_;                                                   // by revision
  std::unordered_map<std::string, std::vector<Revision>> revisions_;  // by record; ascending
  std::int64_t bytes_ = 0;
  Revision revision_ = 0, last_ = 0, outside_ = 0, since_written_ = 0;
  std::optional<Revision> since_;
};

}  // namespace sluice::store
