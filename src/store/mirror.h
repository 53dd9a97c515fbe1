// SPDX-License-Identifier: Apache-2.0
// All entries of a store that is elsewhere, in memory: what is served when it is away, what a full reading is
// compared with, and who refers to whom. One loop.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/replica.h"

namespace sluice::store {

class Mirror final : public Replica {
 public:
  // Keys of the entries that a value names.
  using References = std::function<std::vector<std::string>(std::string_view key, std::string_view value)>;
  // How a change became known.
  enum class Told : std::uint8_t {
    watched,  // as it happened
    read,     // by comparing: what was written in between is not known
    anew,     // there was nothing to compare with, or the store has gone back in time
  };
  // Is told of a change before it is made, with what stands there: null when the key is not there.
  using Observer = std::function<void(const Entry* before, const Change& change, Told told)>;
  explicit Mirror(References references, Observer observer = {})
      : references_(std::move(references)), observer_(std::move(observer)) {}

  Revision revision() const override { return revision_; }
  void reach(Revision revision) override { revision_ = std::max(revision_, revision); }
  void apply(const Change& change) override {
    apply(change, Told::watched);
    reach(change.revision);
  }
  std::vector<Change> replace(std::vector<Entry> entries, Revision revision, Instant now) override;

  // Of the latest change, removals too.
  Revision changed() const { return changed_; }
  const Entry* find(std::string_view key) const;
  Page list(std::string_view prefix, std::string_view after, std::size_t limit) const;
  Revision scan(std::string_view prefix, const std::function<void(Entry&&)>& sink) const;
  // An entry that names `key`, other than those that `leaves` says yes to; null pointer when there is none.
  const Entry* referrer(const std::string& key, const std::function<bool(const std::string&)>& leaves);
  // Looking for what an entry names takes as long as all else about it, and is needed for a removal only. So
  // after a replacement it is done later, some entries at a time, or when `referrer` is asked. Whether there
  // is more to do.
  bool look_for_references(std::size_t entries_most);

 private:
  void apply(const Change& change, Told told);
  std::vector<std::string> missing_in(const std::vector<Entry>& entries) const;
  void note_references(const Entry& entry);
  void forget_references(std::string_view key);

  References references_;
  Observer observer_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::vector<std::string>, std::less<>> targets_;  // of entries that refer
  std::map<std::string, std::set<std::string>> referrers_;                // by what is referred to
  std::optional<std::string> look_from_;  // a key: of what stands from there on it is not known whom it names
  Revision revision_ = 0;
  Revision changed_ = 0;
};

}  // namespace sluice::store
