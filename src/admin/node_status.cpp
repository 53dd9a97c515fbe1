// SPDX-License-Identifier: Apache-2.0
#include "admin/node_status.h"

#include <algorithm>

#include "admin/revision_text.h"

namespace sluice::admin {

using json::Value;

namespace {

Value describe(const std::vector<store::NodeReport>& nodes) {
  auto list = Value::array();
  for (const auto& node : nodes) {
    list.push_back(Value::object({{"node", node.node},
                                  {"applied_revision", node.applied},
                                  {"told", time_text(node.at_ms)}}));
  }
  return list;
}

}  // namespace

async::Task<http::Reply> node_status(store::Store& store, const plugin::Status& status, Call call) {
  if (call.method != http::Method::get || call.segments.size() != 1) co_return error_reply(404, "not found");
  auto body = Value::object({{"node", status.node()}});
  auto stored = co_await store.revision();
  if (stored) body.set("stored_revision", *stored);
  else body.set("error", stored.error().what);
  const auto applied = status.applied_by_worker();
  if (!applied.empty()) body.set("applied_revision", *std::ranges::min_element(applied));
  auto workers = Value::array();
  for (std::size_t i = 0; i < applied.size(); ++i)
    workers.push_back(Value::object({{"worker", i}, {"applied_revision", applied[i]}}));
  body.set("workers", std::move(workers));
  auto elsewhere = status.store();
  body.set("store", elsewhere.is_null() ? Value::object({{"provider", "embedded"}}) : std::move(elsewhere));
  if (auto left_out = status.left_out(); !left_out.is_null()) body.set("left_out", std::move(left_out));
  auto nodes = co_await store.nodes();
  if (nodes && !nodes->empty()) body.set("nodes", describe(*nodes));
  co_return json_reply(200, body);
}

}  // namespace sluice::admin
