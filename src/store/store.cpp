// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <algorithm>
#include <iterator>

namespace sluice::store {

bool stops_referring(const std::vector<Write>& writes, std::string_view key, std::string_view target) {
  const auto written = std::ranges::find(writes, key, &Write::key);
  if (written == writes.end()) return false;
  return !written->value || std::ranges::find(written->references, target) == written->references.end();
}

async::Task<Result<std::vector<Entry>>> list_all(Store& store, std::string prefix) {
  constexpr std::size_t page_size = 1000;
  std::vector<Entry> all;
  std::string after;
  for (bool more = true; more;) {
    auto page = co_await store.list(prefix, after, page_size);
    if (!page) co_return std::unexpected(page.error());
    more = page->more;
    std::ranges::move(page->entries, std::back_inserter(all));
    if (more) after = all.back().key;
  }
  co_return all;
}

}  // namespace sluice::store
