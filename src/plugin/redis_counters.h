// SPDX-License-Identifier: Apache-2.0
// Counting in Redis, for limits that several gateways share: each count is one script on one key, run by the
// server at once, by the server's clock. The counterparts of window_counters.h, leaky_buckets.h and
// concurrency_counters.h. One worker.
#pragma once
#include <string>

#include "plugin/concurrency_counters.h"
#include "plugin/leaky_buckets.h"
#include "plugin/redis.h"
#include "plugin/window_counters.h"

namespace sluice::plugin {

async::Task<Result<WindowCounters::Taken>> take_fixed(Redis& redis, std::string key, std::int64_t limit,
                                                      std::int64_t seconds);
async::Task<Result<WindowCounters::Taken>> take_sliding(Redis& redis, std::string key, std::int64_t limit,
                                                        std::int64_t seconds);
async::Task<Result<LeakyBuckets::Taken>> take_from_bucket(Redis& redis, std::string key, double rate,
                                                          double burst);
// `member` names the request; what is not let go leaves by itself after `seconds`.
async::Task<Result<ConcurrencyCounters::Entered>> enter(Redis& redis, std::string key, std::string member,
                                                        std::int64_t most, std::int64_t seconds);
void leave(Redis& redis, std::string key, std::string member);

}  // namespace sluice::plugin
