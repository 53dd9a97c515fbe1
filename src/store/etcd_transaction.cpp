// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_transaction.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::store {
namespace {

using json::Value;
using Again = EtcdClient::Again;
using Kind = Condition::Kind;

constexpr Duration mirror_patience = std::chrono::seconds(5);  // for the watch to tell what is known to be
constexpr int tries_max = 10;

std::unexpected<Error> not_stored(Error error) {
  const bool sent = !error.may_retry && (error.kind == ErrorKind::timeout ||
                                         error.kind == ErrorKind::closed || error.kind == ErrorKind::reset);
  error.what = fmt::format("etcd: {}; {}", error.what,
                           sent ? "it is not known whether the write was stored" : "nothing was stored");
  return std::unexpected(std::move(error));
}

std::unexpected<Error> behind() {
  return std::unexpected(Error{ErrorKind::timeout, Fault::peer,
                               "its watch is behind, so references cannot be checked", true});
}

}  // namespace

EtcdTransaction::EtcdTransaction(EtcdClient& client, const EtcdFollower& follower, const Mirror& mirror,
                                 async::Signal& moved, Transaction transaction)
    : client_(client), follower_(follower), mirror_(mirror), moved_(moved),
      transaction_(std::move(transaction)), leases_(transaction_.writes.size()),
      guarded_(std::ranges::any_of(transaction_.conditions,
                                   [](const Condition& c) { return c.kind == Kind::unreferenced; })) {}

std::span<const Write> EtcdTransaction::writes() const {
  return transaction_.try_only ? std::span<const Write>() : transaction_.writes;
}

async::Task<Result<Committed>> EtcdTransaction::run(Revision written) {
  seen_ = written;
  auto leased = co_await take_leases();
  if (!leased) co_return not_stored(leased.error());
  for (int i = 0; i < tries_max; ++i) {
    Result<Step> step = Step::go_on;
    if (guarded_) {
      auto looked = co_await look_for_referrers();
      step = std::move(looked);
    }
    if (step && *step == Step::go_on) {
      auto tried = co_await attempt();
      step = std::move(tried);
    }
    if (!step) co_return not_stored(step.error());
    if (*step == Step::decided) co_return std::move(result_);
  }
  co_return not_stored({ErrorKind::conflict, Fault::peer,
                        "others write too often for the references to be checked", true});
}

// One whose transaction is refused afterwards ends by itself.
async::Task<Result<>> EtcdTransaction::take_leases() {
  for (std::size_t i = 0; i < writes().size(); ++i) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(writes()[i].ttl).count();
    if (seconds <= 0 || !writes()[i].value) continue;
    auto question = Value::object({{"TTL", std::to_string(seconds)}});
    auto answer = co_await client_.call("/v3/lease/grant", std::move(question), Again::safe);
    if (!answer) co_return std::unexpected(answer.error());
    leases_[i] = answer->text("ID");
    if (leases_[i].empty()) co_return fail(ErrorKind::protocol, "a lease was granted without a number");
  }
  co_return Result<>();
}

async::Task<bool> EtcdTransaction::wait_for(Revision revision) {
  const Instant deadline = after(moved_.loop().now(), mirror_patience);
  while (mirror_.revision() < revision) {
    const bool told = co_await moved_.wait(deadline);
    if (!told) co_return false;
  }
  co_return follower_.in_step();
}

// After `go_on` nothing refers, as of the mirror's revision.
async::Task<Result<EtcdTransaction::Step>> EtcdTransaction::look_for_referrers() {
  const bool knows = co_await wait_for(seen_);
  if (!knows) co_return behind();
  for (std::size_t i = 0; i < transaction_.conditions.size(); ++i) {
    if (transaction_.conditions[i].kind != Kind::unreferenced) continue;
    const auto leaves = [this, i](const std::string& key) {
      return stops_referring(transaction_.writes, key, transaction_.conditions[i].key);
    };
    const Entry* referrer = mirror_.referrer(transaction_.conditions[i].key, leaves);
    if (referrer == nullptr) continue;
    auto checked = co_await check_referrer(i, referrer->key, referrer->modified);
    co_return checked;
  }
  guarded_since_ = mirror_.revision();
  co_return Step::go_on;
}

// Whether the entry that refers still is as the mirror has it; if not, the mirror will hear of it.
async::Task<Result<EtcdTransaction::Step>> EtcdTransaction::check_referrer(std::size_t condition,
                                                                           std::string by,
                                                                           Revision modified) {
  const etcd::RangeQuestion question{.keys = {follower_.outer(by), ""}};
  auto answer = co_await client_.call("/v3/kv/range", etcd::to_value(question), Again::safe);
  if (!answer) co_return std::unexpected(answer.error());
  auto range = etcd::read_range(*answer);
  if (!range) co_return std::unexpected(range.error());
  if (!range->entries.empty() && range->entries.front().modified == modified) {
    result_.failed = condition;
    result_.by = std::move(by);
    result_.revision = mirror_.revision();
    co_return Step::decided;
  }
  const Instant deadline = after(moved_.loop().now(), mirror_patience);
  for (;;) {
    const Entry* known = mirror_.find(by);
    if (known == nullptr || known->modified != modified) co_return Step::again;
    const bool told = co_await moved_.wait(deadline);
    if (!told) co_return behind();
  }
}

Value EtcdTransaction::question() const {
  Value compare = Value::array(), success = Value::array(), failure = Value::array();
  if (guarded_) {
    const auto all = follower_.keys();
    compare.push_back(etcd::compare_untouched_since(all, guarded_since_));
    failure.push_back(etcd::range_operation({.keys = all, .newest = true}));
  }
  for (const Condition& condition : transaction_.conditions) {
    if (condition.kind == Kind::store_unchanged) {
      compare.push_back(etcd::compare_untouched_since(follower_.keys(), condition.revision));
      failure.push_back(etcd::range_operation({.keys = follower_.keys(), .newest = true}));
      continue;
    }
    const std::string key = follower_.outer(condition.key);
    if (condition.kind == Kind::unchanged)
      compare.push_back(etcd::compare_modified(key, condition.revision));
    else if (condition.kind != Kind::unreferenced)
      compare.push_back(etcd::compare_created(key, condition.kind == Kind::exists));
    failure.push_back(etcd::range_operation({.keys = {key, ""}}));
  }
  for (std::size_t i = 0; i < writes().size(); ++i) {
    const Write& write = writes()[i];
    const std::string key = follower_.outer(write.key);
    success.push_back(write.value ? etcd::put_operation(key, *write.value, leases_[i])
                                  : etcd::remove_operation(key));
  }
  return Value::object(
      {{"compare", std::move(compare)}, {"success", std::move(success)}, {"failure", std::move(failure)}});
}

async::Task<Result<EtcdTransaction::Step>> EtcdTransaction::attempt() {
  auto answer = co_await client_.call("/v3/kv/txn", question(), Again::harmful);
  if (!answer) co_return std::unexpected(answer.error());
  auto read = etcd::read_transaction(*answer);
  if (!read) co_return std::unexpected(read.error());
  const std::size_t wanted = read->succeeded ? writes().size()
                                             : transaction_.conditions.size() + (guarded_ ? 1 : 0);
  if (read->found.size() != wanted)
    co_return fail(ErrorKind::protocol, "the answer to a transaction has a wrong number of responses");
  if (!read->succeeded) co_return refused(*read);
  committed(*read);
  co_return Step::decided;
}

void EtcdTransaction::committed(const etcd::TransactionAnswer& answer) {
  for (std::size_t i = 0; i < writes().size(); ++i) {
    const auto& before = answer.found[i];
    const bool existed = !before.empty();
    result_.written.push_back({existed ? before.front().created : answer.revision, existed});
    wrote_ = wrote_ || existed || writes()[i].value.has_value();
  }
  result_.done = true;
  result_.failed = transaction_.conditions.size();
  // A revision of somebody else's keys is never seen below the prefix, so nobody could wait for it.
  result_.revision = wrote_ ? answer.revision : mirror_.revision();
}

// Looks for the condition that did not hold in what the keys were at that moment.
Result<EtcdTransaction::Step> EtcdTransaction::refused(const etcd::TransactionAnswer& answer) {
  const std::size_t first = guarded_ ? 1 : 0;
  result_.revision = answer.revision;
  const auto& conditions = transaction_.conditions;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    if (holds(conditions[i], answer.found[first + i])) continue;
    result_.failed = i;
    return Step::decided;
  }
  if (!guarded_)
    return fail(ErrorKind::protocol, "a transaction was refused although all its conditions hold");
  // The guard alone did not hold: somebody wrote meanwhile.
  const auto& newest = answer.found.front();
  seen_ = std::max(seen_, newest.empty() ? 0 : newest.front().modified);
  return Step::again;
}

bool EtcdTransaction::holds(const Condition& condition, const std::vector<Entry>& found) const {
  switch (condition.kind) {
    case Kind::exists:
      return !found.empty();
    case Kind::absent:
      return found.empty();
    case Kind::unchanged:
      return (found.empty() ? 0 : found.front().modified) == condition.revision;
    case Kind::store_unchanged:
      return found.empty() || found.front().modified <= condition.revision;
    case Kind::unreferenced:
      break;
  }
  return true;
}

}  // namespace sluice::store
