// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_transaction.h"

#include <fmt/core.h>

#include <algorithm>

#include "model/resources.h"

namespace sluice::store {
namespace {

using json::Value;
using Again = EtcdClient::Again;
using Kind = Condition::Kind;

constexpr Duration mirror_patience = std::chrono::seconds(5);  // for the watch to tell what is known to be
constexpr int tries_max = 50;

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

EtcdTransaction::EtcdTransaction(EtcdClient& client, const EtcdFollower& follower, Mirror& mirror,
                                 async::Signal& moved, const etcd::HistoryKeys* history,
                                 Transaction transaction)
    : client_(client), follower_(follower), mirror_(mirror), moved_(moved), history_(history),
      transaction_(std::move(transaction)), leases_(transaction_.writes.size()),
      guarded_(std::ranges::any_of(transaction_.conditions,
                                   [](const Condition& c) { return c.kind == Kind::unreferenced; })) {
  for (const Write& write : transaction_.writes) {
    const Entry* known = mirror_.find(write.key);
    before_.push_back(known ? std::optional(*known) : std::nullopt);
  }
}

std::span<const Write> EtcdTransaction::writes() const {
  return transaction_.try_only ? std::span<const Write>() : transaction_.writes;
}

async::Task<Result<Committed>> EtcdTransaction::run(Revision written) {
  seen_ = written;
  // A removal leaves nothing that a compare could see; this node may have been told of it.
  for (std::size_t i = 0; i < transaction_.conditions.size(); ++i) {
    const Condition& condition = transaction_.conditions[i];
    if (condition.kind != Kind::store_unchanged || mirror_.changed() <= condition.revision) continue;
    result_.failed = i;
    result_.revision = mirror_.changed();
    co_return std::move(result_);
  }
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
                        "others write too often for this to be checked", true});
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
  etcd::RangeQuestion question{.keys = {follower_.outer(by), ""}};
  auto range = co_await client_.range(std::move(question));
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

std::size_t EtcdTransaction::look(etcd::RangeQuestion question) {
  const auto [at, fresh] = looked_at_.try_emplace(question.keys.from, looks_.as_array().size());
  if (fresh) looks_.push_back(etcd::range_operation(question));
  return at->second;
}

void EtcdTransaction::add_condition(const Condition& condition, Value& compare) {
  if (condition.kind == Kind::unreferenced) return;  // looked up and guarded
  if (condition.kind == Kind::store_unchanged) {
    compare.push_back(etcd::compare_untouched_since(follower_.keys(), condition.revision));
    look({.keys = follower_.keys(), .newest = true});
    if (history_ == nullptr) return;
    compare.push_back(etcd::compare_untouched_since({history_->last, ""}, condition.revision));
    look({.keys = {history_->last, ""}});
    return;
  }
  const std::string key = follower_.outer(condition.key);
  look({.keys = {key, ""}});
  if (condition.kind == Kind::unchanged)
    compare.push_back(etcd::compare_modified(key, condition.revision));
  else compare.push_back(etcd::compare_created(key, condition.kind == Kind::exists));
}

Value EtcdTransaction::question() {
  Value compare = Value::array(), success = Value::array();
  looks_ = Value::array();
  looked_at_.clear();
  if (guarded_) {
    compare.push_back(etcd::compare_untouched_since(follower_.keys(), guarded_since_));
    look({.keys = follower_.keys(), .newest = true});
  }
  for (const Condition& condition : transaction_.conditions) add_condition(condition, compare);
  for (std::size_t i = 0; i < writes().size(); ++i) {
    const Write& write = writes()[i];
    const std::string key = follower_.outer(write.key);
    success.push_back(write.value ? etcd::put_operation(key, *write.value, leases_[i])
                                  : etcd::remove_operation(key));
    if (history_ != nullptr) look({.keys = {key, ""}});
  }
  add_record(compare, success);
  return Value::object(
      {{"compare", std::move(compare)}, {"success", std::move(success)}, {"failure", looks_}});
}

// ---- the record ----

bool EtcdTransaction::is_recorded(std::size_t write) const {
  const Write& one = writes()[write];
  return history_ != nullptr && etcd::is_recorded(one.key) && (one.value || before_[write]);
}

bool EtcdTransaction::is_checked(const std::string& key, Revision revision) const {
  return std::ranges::any_of(transaction_.conditions, [&](const Condition& condition) {
    return condition.kind == Kind::unchanged && condition.key == key && condition.revision == revision;
  });
}

void EtcdTransaction::add_record(Value& compare, Value& success) const {
  etcd::Head head{.at_ms = moved_.loop().clock().wall() / 1'000'000,
                  .author = transaction_.author,
                  .note = transaction_.note,
                  .size = 0,
                  .keys = {}};
  std::vector<etcd::Values> values;
  for (std::size_t i = 0; i < writes().size(); ++i) {
    const Write& write = writes()[i];
    const auto& before = before_[i];
    const Revision modified = before ? before->modified : 0;
    if (history_ != nullptr && etcd::is_recorded(write.key) && !is_checked(write.key, modified))
      compare.push_back(etcd::compare_modified(follower_.outer(write.key), modified));
    if (!is_recorded(i)) continue;
    auto& one = values.emplace_back();
    if (before) one.before = before->value;
    one.after = write.value;
    head.keys.push_back({write.key.substr(model::key_prefix.size()), before.has_value(),
                         write.value.has_value()});
    head.size += static_cast<std::int64_t>((before ? before->value.size() : 0) +
                                           (write.value ? write.value->size() : 0));
  }
  if (values.empty()) return;
  const std::string id = etcd::own_id(mirror_.revision());
  success.push_back(etcd::put_operation(history_->head(id), to_text(head)));
  success.push_back(etcd::put_operation(history_->values(id), to_text(values)));
  success.push_back(etcd::put_operation(history_->last, ""));
}

bool EtcdTransaction::learn(const etcd::TransactionAnswer& answer) {
  bool news = false;
  for (std::size_t i = 0; history_ != nullptr && i < writes().size(); ++i) {
    const Entry* now = entry_in(answer, follower_.outer(writes()[i].key));
    news = news || (now ? now->modified : 0) != (before_[i] ? before_[i]->modified : 0);
    before_[i] = now ? std::optional(*now) : std::nullopt;
  }
  return news;
}

// ---- asking ----

async::Task<Result<EtcdTransaction::Step>> EtcdTransaction::attempt() {
  auto asked = question();
  const std::size_t operations = asked.find("success")->as_array().size();
  auto answer = co_await client_.call("/v3/kv/txn", std::move(asked), Again::harmful);
  if (!answer && answer.error().kind == ErrorKind::limit && writes().size() > 1) {
    Error error = answer.error();
    error.what = fmt::format("{} writes are {} operations: {}", writes().size(), operations, error.what);
    co_return std::unexpected(std::move(error));
  }
  if (!answer) co_return std::unexpected(answer.error());
  auto read = etcd::read_transaction(*answer);
  if (!read) co_return std::unexpected(read.error());
  if (read->found.size() != (read->succeeded ? operations : looks_.as_array().size()))
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
  result_.revision = answer.revision;
  const auto& conditions = transaction_.conditions;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    if (holds(conditions[i], answer)) continue;
    result_.failed = i;
    return Step::decided;
  }
  const bool news = learn(answer);
  const Entry* newest = guarded_ ? entry_in(answer, follower_.keys().from) : nullptr;
  // The guard did not hold: somebody wrote meanwhile.
  if (newest != nullptr && newest->modified > guarded_since_) seen_ = std::max(seen_, newest->modified);
  else if (!news)
    return fail(ErrorKind::protocol, "a transaction was refused although all its conditions hold");
  return Step::again;
}

const Entry* EtcdTransaction::entry_in(const etcd::TransactionAnswer& answer, const std::string& key) const {
  const auto place = looked_at_.find(key);
  if (place == looked_at_.end() || answer.found[place->second].empty()) return nullptr;
  return &answer.found[place->second].front();
}

bool EtcdTransaction::holds(const Condition& condition, const etcd::TransactionAnswer& answer) const {
  const auto modified = [&](const std::string& key) {
    const Entry* found = entry_in(answer, key);
    return found ? found->modified : 0;
  };
  switch (condition.kind) {
    case Kind::exists:
      return modified(follower_.outer(condition.key)) > 0;
    case Kind::absent:
      return modified(follower_.outer(condition.key)) == 0;
    case Kind::unchanged:
      return modified(follower_.outer(condition.key)) == condition.revision;
    case Kind::store_unchanged:
      return modified(follower_.keys().from) <= condition.revision &&
             (history_ == nullptr || modified(history_->last) <= condition.revision);
    case Kind::unreferenced:
      break;
  }
  return true;
}

}  // namespace sluice::store
