// SPDX-License-Identifier: Apache-2.0
// What the process tells of itself to those who ask through plugin::Status.
#include <unistd.h>

#include "main/process.h"

namespace sluice::main {
namespace {

constexpr Duration applied_within = std::chrono::seconds(10);
constexpr Duration names_of_a_write = std::chrono::seconds(1);  // before a write counts as applied

}  // namespace

async::Task<Result<Duration>> Process::applied(std::int64_t revision) {
  const auto wanted = static_cast<std::uint64_t>(revision);
  co_await names_->of_upstreams().wait_answered(after(control_.now(), names_of_a_write));
  const bool in_time = co_await publisher_.wait_applied(wanted, after(control_.now(), applied_within));
  if (in_time) co_return publisher_.time_to_apply(wanted).value_or(Duration::zero());
  co_return fail(ErrorKind::timeout,
                 "revision " + std::to_string(revision) + " is stored, but not all workers serve by it yet");
}

std::string Process::node() const {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

json::Value Process::left_out() const {
  constexpr std::size_t told_max = 100;
  const auto& all = compiler_->left_out();
  if (all.empty()) return nullptr;
  auto list = json::Value::array();
  for (const auto& [key, found] : all) {
    if (list.as_array().size() == told_max) break;
    list.push_back(json::Value::object({{"resource", key.substr(model::key_prefix.size())},
                                        {"why", found.why}}));
  }
  return json::Value::object({{"total", all.size()}, {"list", std::move(list)}});
}

}  // namespace sluice::main
