// SPDX-License-Identifier: Apache-2.0
// The addresses of the names that upstreams contain, kept current behind the scenes. Whoever compiles says
// which names are in use. Control thread.
#pragma once
#include <string_view>
#include <vector>

#include "base/address.h"

namespace sluice::upstream {

class Names {
 public:
  virtual ~Names() = default;
  // From now on the name is resolved and resolved again; each use is matched by one `release`.
  virtual void use(std::string_view name) = 0;
  virtual void release(std::string_view name) = 0;
  // Its addresses; null while none is known.
  virtual const std::vector<IpAddress>* find(std::string_view name) const = 0;
};

}  // namespace sluice::upstream
