// SPDX-License-Identifier: Apache-2.0
// How secrets in values are made unreadable before a store has them, and readable again for this process:
// with a key of this node, or in a way that others who use the store know (main/seals.h). One thread, but for
// a `Resealer`.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/findings.h"

namespace sluice::store {

// A value as it is to be stored, of one that is stored. Any thread.
using Resealer = std::function<std::string(std::string_view key, std::string value)>;

class Seal {
 public:
  virtual ~Seal() = default;

  // A value as it is to be stored.
  virtual std::string close(std::string_view key, std::string value) const = 0;
  // What was stored, readable. A secret that cannot be read is not in it, and a problem tells its path.
  virtual std::string open(std::string_view key, std::string value, json::Problems& problems) const = 0;

  // Another key seals from now on; the old one opens until `forget_old_keys`.
  virtual Result<> take_new_key() = 0;
  virtual Resealer resealer() const = 0;
  // Everything was sealed again.
  virtual Result<> forget_old_keys() = 0;
};

}  // namespace sluice::store
