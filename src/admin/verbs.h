// SPDX-License-Identifier: Apache-2.0
// The verbs of the Admin API, written once over the rows of model/resources.h. A write is a change set of
// one: checked as a whole, stored under conditions that keep references whole, and answered when it is
// durable, or with `?wait=applied` when all workers serve with it. `?dry_run=true` tells what it would
// change. Lives on the control thread, longer than its tasks.
#pragma once
#include "admin/call.h"
#include "admin/change_set.h"
#include "plugin/status.h"

namespace sluice::admin {

class Verbs {
 public:
  Verbs(Desk& desk, plugin::Status& status) : desk_(desk), status_(status) {}

  // `call.place` names a resource. 404 for a method that no resource has.
  async::Task<http::Reply> run(Call call);

 private:
  async::Task<http::Reply> get(Call call);
  async::Task<http::Reply> put(Call call);
  async::Task<http::Reply> post(Call call);
  async::Task<http::Reply> patch(Call call);
  async::Task<http::Reply> remove(Call call);
  // No value: what was read has changed meanwhile.
  async::Task<std::optional<http::Reply>> save(Call call, Draft draft);

  Desk& desk_;
  plugin::Status& status_;
};

}  // namespace sluice::admin
