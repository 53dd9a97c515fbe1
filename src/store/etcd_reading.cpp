// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_reading.h"

#include <algorithm>
#include <utility>

namespace sluice::store {
namespace {

// Entries. The first page is small: the next can be asked for when its revision is known.
constexpr std::int64_t first_page = 1'000;
constexpr std::int64_t page_most = 10'000;  // etcd counts all that is left for each page

std::string behind(std::string key) { return std::move(key) + '\0'; }

}  // namespace

void EtcdReading::ask(std::string from) {
  asked_from_ = std::move(from);
  fetching_.start(fetch());
}

async::Task<> EtcdReading::fetch() {
  const etcd::RangeQuestion question{{asked_from_, left_.end}, limit_, revision_};
  auto answer = co_await client_.fetch("/v3/kv/range", etcd::to_value(question), EtcdClient::Again::safe);
  fetched_ = std::move(answer);
}

// The page that is next, as it came. Large values: fewer of them at once.
async::Task<Result<std::string>> EtcdReading::answer() {
  for (;;) {
    if (asked_from_ != left_.from) ask(left_.from);
    co_await fetching_.join();
    asked_from_.clear();
    if (fetched_ || fetched_.error().kind != ErrorKind::limit || limit_ == 1) break;
    limit_ = std::max<std::int64_t>(limit_ / 8, 1);
  }
  co_return std::move(fetched_);
}

async::Task<Result<std::vector<Entry>>> EtcdReading::next() {
  if (limit_ == 0) limit_ = first_page;
  auto text = co_await answer();
  if (!text) co_return std::unexpected(text.error());
  if (revision_ > 0) {
    if (auto last = etcd::glance_at_last_key(*text)) ask(behind(std::move(*last)));
  }
  auto parsed = etcd::parse_answer(*text);
  if (!parsed) co_return std::unexpected(parsed.error());
  auto page = etcd::read_range(*parsed);
  if (!page) co_return std::unexpected(page.error());
  go_on_behind(*page);
  co_return std::move(page->entries);
}

void EtcdReading::go_on_behind(const etcd::RangeAnswer& page) {
  if (revision_ == 0) {
    revision_ = page.revision;
    cluster_ = page.cluster;
    limit_ = limit_ == first_page ? page_most : limit_;
  }
  ended_ = !page.more || page.entries.empty();
  if (ended_) return;
  left_.from = behind(page.entries.back().key);
  if (asked_from_ != left_.from) ask(left_.from);
}

}  // namespace sluice::store
