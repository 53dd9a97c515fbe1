// SPDX-License-Identifier: Apache-2.0
// What the Admin, control and status APIs ask of the running gateway. Implemented by main/ over the publisher
// and the health checks; used on the control thread.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "base/time.h"
#include "json/value.h"

namespace sluice::plugin {

class Status {
 public:
  virtual ~Status() = default;
  // Waits until every worker serves with the configuration of `revision` or a later one, and names in it have
  // been resolved: how long it took from durable to live, zero when that is not known any more. Error: it was
  // not applied in time (the sentence says why).
  virtual async::Task<Result<Duration>> applied(std::int64_t revision) = 0;
  // The revision that each worker serves by.
  virtual std::vector<std::int64_t> applied_by_worker() const { return {}; }
  // The name of this machine.
  virtual std::string node() const { return {}; }
  // Workers run.
  virtual bool started() const = 0;
  // Every worker holds a configuration.
  virtual bool ready() const = 0;
  // Of a store that is elsewhere: {"provider", "reachable", "loaded", "since_seconds", "error"}; null when
  // the store is part of this process.
  virtual json::Value store() const { return nullptr; }
  // What is stored and not served, for it does not hold here: {"total", "list": [{"resource", "why"}]}, 100
  // at most; null when there is none.
  virtual json::Value left_out() const { return nullptr; }
  // Every health checker: [{"name": "/apisix/upstreams/1", "type": "http", "nodes": [{"ip", "port",
  // "hostname", "status", "counter": {"success", "tcp_failure", "http_failure", "timeout_failure"}}]}].
  virtual json::Value health() const = 0;
  // Asks for what config.yaml says now, the list of plugins before all; at once, and the log tells what came
  // of it. A file without a change changes nothing: counters and health stay.
  virtual void take_up_settings() = 0;
};

}  // namespace sluice::plugin
