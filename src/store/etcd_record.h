// SPDX-License-Identifier: Apache-2.0
// Revisions of the history as they stand in etcd: a head that says who changed which keys, small enough that
// every gateway holds all of them, and the values before and after beside it. A record is one revision, or
// several that were somebody else's and are recorded together. It lies outside of the prefix that APISIX
// reads (docs/decisions/etcd.md). Pure functions, any thread; what is read may hold anything.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/history.h"

namespace sluice::store::etcd {

// Names of keys. `prefix` is the configuration's, "/apisix".
struct HistoryKeys {
  explicit HistoryKeys(const std::string& prefix);
  std::string folder;   // "/sluice/apisix/": all of it
  std::string all;      // "/sluice/apisix/history/": what gateways follow
  std::string last;     // put with every write: its revision is that of the latest one
  std::string outside;  // put with every record of a write that was somebody else's
  std::string since;    // a number: the revision from which on the history is whole
  std::string head(std::string_view id) const { return all + "records/" + std::string(id); }
  // Not followed.
  std::string values(std::string_view id) const { return folder + "values/" + std::string(id); }
};

// Whether writes of a key are told in the history: those of resources are.
bool is_recorded(std::string_view key);

struct Head {
  struct Key {
    std::string name;  // "routes/1"
    bool existed = false, exists = false;
  };
  Revision revision = 0;  // 0: the one that put the record
  std::int64_t at_ms = 0;
  Author author;
  std::string note;
  std::int64_t size = 0;  // bytes of the values
  std::vector<Key> keys;
};
std::string to_text(const Head& head);
std::string to_text(const std::vector<Head>& heads);
// Of either, at least one.
Result<std::vector<Head>> read_heads(std::string_view text);

// What stood there before and after; one for each key of a record's heads, one head behind the other.
struct Values {
  std::optional<std::string> before, after;
};
std::string to_text(const std::vector<Values>& values);
Result<std::vector<Values>> read_values(std::string_view text);

// A record's id: about when it was made, so that ids are in order, and what makes it the only one; of
// somebody else's writes that is the first revision.
std::string own_id(Revision known);
std::string outside_id(Revision first);

}  // namespace sluice::store::etcd
