// SPDX-License-Identifier: Apache-2.0
// The metrics as Prometheus scrapes them: asks every worker by message, a slice at a time so that none is
// held up, adds up what comes back and writes the text, on the control thread, which turns between slices.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "gateway/worker.h"
#include "http/message.h"
#include "plugin/metrics.h"
#include "plugin/status.h"

namespace sluice::main {

class Scrape {
 public:
  // Workers and status outlive it.
  Scrape(async::Loop& control, std::vector<gateway::Worker*> workers, const plugin::MetricsSettings& settings,
         const plugin::Status& status, std::string uri)
      : control_(control), workers_(std::move(workers)), settings_(settings), status_(status),
        uri_(std::move(uri)) {}

  async::Task<http::Reply> handle(http::Request& request);
  // The same metrics for whoever runs on another loop, `here`; may be destroyed while it waits.
  async::Task<http::Reply> read_from(async::Loop& here);

 private:
  static constexpr std::size_t slice_series = 500;
  struct Asked;
  async::Task<http::Reply> read();
  async::Task<> answer(std::shared_ptr<Asked> asked, async::Loop& there);
  async::Task<> collect(gateway::Worker& worker, plugin::MetricsSum& sum, gateway::WorkerCounters& counters);
  void write_gauges(const gateway::WorkerCounters& counters, std::string& out) const;
  void write_health(std::string& out) const;

  async::Loop& control_;
  std::vector<gateway::Worker*> workers_;
  const plugin::MetricsSettings& settings_;
  const plugin::Status& status_;
  std::string uri_;
};

}  // namespace sluice::main
