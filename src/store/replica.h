// SPDX-License-Identifier: Apache-2.0
// What a follower of etcd keeps up to date: entries below one prefix, told whole or change by change. Owned
// by the store; one loop.
#pragma once
#include <vector>

#include "store/store.h"

namespace sluice::store {

class Replica {
 public:
  virtual ~Replica() = default;
  virtual Revision revision() const = 0;
  // The store has been read up to here, without a change of ours.
  virtual void reach(Revision revision) = 0;
  virtual void apply(const Change& change) = 0;
  // Becomes exactly `entries`, as of `revision`, which may be lower than before: what had to change for that.
  virtual std::vector<Change> replace(std::vector<Entry> entries, Revision revision, Instant now) = 0;
};

}  // namespace sluice::store
