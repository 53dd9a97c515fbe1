// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_nodes.h"

#include <fmt/core.h>

#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "json/text.h"

namespace sluice::store {
namespace {

using json::Value;
using Again = EtcdClient::Again;

constexpr Duration step = std::chrono::seconds(1);
constexpr Duration renewal = std::chrono::seconds(20);  // of the lease, by another one
constexpr int lease_seconds = 60;
constexpr std::int64_t nodes_max = 1000;

Value lease_question() { return Value::object({{"TTL", std::to_string(lease_seconds)}}); }

Value put_question(const std::string& key, const NodeReport& report, const std::string& lease) {
  const auto text = json::dump(
      Value::object({{"node", report.node}, {"applied", report.applied}, {"time_ms", report.at_ms}}));
  return *etcd::put_operation(key, text, lease).find("request_put");
}

std::int64_t number_of(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value && value->is_integer() ? value->as_int() : 0;
}

}  // namespace

EtcdNodes::EtcdNodes(async::Loop& loop, EtcdClient& client, const EtcdFollower& configuration,
                     const std::string& prefix)
    : loop_(loop), client_(client), configuration_(configuration), folder_("/sluice" + prefix + "/nodes/"),
      key_(folder_ + fmt::format("{:016x}", thread_random().next())) {}

async::Task<> EtcdNodes::run() {
  for (;;) {
    co_await loop_.sleep(step);
    if (!configuration_.in_step()) continue;
    auto report = how_();
    report.at_ms = loop_.clock().wall() / 1'000'000;
    const bool due = lease_.empty() || loop_.now() - leased_ >= renewal;
    if (!due && report.applied == told_) continue;
    auto told = co_await tell(std::move(report));
    if (told) {
      failing_ = false;
      continue;
    }
    if (!std::exchange(failing_, true))
      log::warn("the other gateways are not told what this one serves by: {}", told.error().what);
    co_await loop_.sleep(renewal);
  }
}

async::Task<Result<>> EtcdNodes::take_lease() {
  lease_.clear();
  auto question = lease_question();
  auto answer = co_await client_.call("/v3/lease/grant", std::move(question), Again::safe);
  if (!answer) co_return std::unexpected(answer.error());
  lease_ = answer->text("ID");
  leased_ = loop_.now();
  if (lease_.empty()) co_return fail(ErrorKind::protocol, "a lease was granted without a number");
  co_return Result<>();
}

async::Task<Result<>> EtcdNodes::tell(NodeReport report) {
  if (lease_.empty() || loop_.now() - leased_ >= renewal) {
    auto taken = co_await take_lease();
    if (!taken) co_return taken;
  }
  auto question = put_question(key_, report, lease_);
  auto answer = co_await client_.call("/v3/kv/put", std::move(question), Again::safe);
  if (!answer) {
    lease_.clear();  // it may be the lease
    co_return std::unexpected(answer.error());
  }
  told_ = report.applied;
  co_return Result<>();
}

async::Task<Result<std::vector<NodeReport>>> EtcdNodes::read() {
  etcd::RangeQuestion question;
  question.keys = etcd::below(folder_);
  question.limit = nodes_max;
  auto range = co_await client_.range(std::move(question));
  if (!range) co_return std::unexpected(range.error());
  std::vector<NodeReport> nodes;
  for (const Entry& entry : range->entries) {
    const auto value = json::parse(entry.value);
    if (!value || !value->is_object()) continue;
    nodes.push_back({std::string(value->text("node")), number_of(*value, "applied"),
                     number_of(*value, "time_ms")});
  }
  co_return nodes;
}

}  // namespace sluice::store
