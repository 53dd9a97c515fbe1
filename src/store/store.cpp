// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <algorithm>

namespace sluice::store {

bool stops_referring(const std::vector<Write>& writes, std::string_view key, std::string_view target) {
  const auto written = std::ranges::find(writes, key, &Write::key);
  if (written == writes.end()) return false;
  return !written->value || std::ranges::find(written->references, target) == written->references.end();
}

}  // namespace sluice::store
