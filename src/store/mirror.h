// SPDX-License-Identifier: Apache-2.0
// All entries of a store that is elsewhere, in memory: what is served when it is away, what a full reading is
// compared with, and who refers to whom. One loop.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace sluice::store {

class Mirror {
 public:
  // Keys of the entries that a value names.
  using References = std::function<std::vector<std::string>(std::string_view key, std::string_view value)>;
  explicit Mirror(References references) : references_(std::move(references)) {}

  Revision revision() const { return revision_; }
  // The store has been read up to here, without a change of ours.
  void reach(Revision revision) { revision_ = std::max(revision_, revision); }
  void apply(const Change& change);
  // Becomes exactly `entries`, as of `revision`, which may be lower than before: what had to change for that.
  std::vector<Change> replace(std::vector<Entry> entries, Revision revision, Instant now);

  const Entry* find(std::string_view key) const;
  Page list(std::string_view prefix, std::string_view after, std::size_t limit) const;
  Revision scan(std::string_view prefix, const std::function<void(Entry&&)>& sink) const;
  // An entry that names `key`, other than those that `leaves` says yes to; null pointer when there is none.
  const Entry* referrer(const std::string& key, const std::function<bool(const std::string&)>& leaves) const;

 private:
  void write(const std::string& key, Entry entry);
  void remove(std::string_view key);
  void forget_references(std::string_view key);

  References references_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::vector<std::string>, std::less<>> targets_;  // of entries that refer
  std::map<std::string, std::set<std::string>> referrers_;                // by what is referred to
  Revision revision_ = 0;
};

}  // namespace sluice::store
