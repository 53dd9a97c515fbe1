// SPDX-License-Identifier: Apache-2.0
// One revision of the history as it stands in etcd: a head that says who changed which keys, small enough
// that every gateway holds all of them, and the values before and after beside it. Both lie outside of the
// prefix that APISIX reads (docs/decisions/etcd.md). Pure functions, any thread; what is read may hold
// anything.
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
  std::int64_t at_ms = 0;
  Author author;
  std::string note;
  std::int64_t size = 0;  // bytes of the values
  std::vector<Key> keys;
};
std::string to_text(const Head& head);
Result<Head> read_head(std::string_view text);

// What stood there before and after; one for each key of the head.
struct Values {
  std::optional<std::string> before, after;
};
std::string to_text(const std::vector<Values>& values);
Result<std::vector<Values>> read_values(std::string_view text);

// A record's id: about when it was made, so that ids are in order, and what makes it the only one. The
// revision of a record is the one that put it; that of a record of somebody else's write is in its id.
std::string own_id(Revision known);
std::string outside_id(Revision revision);
std::optional<Revision> revision_of_outside(std::string_view id);

}  // namespace sluice::store::etcd
