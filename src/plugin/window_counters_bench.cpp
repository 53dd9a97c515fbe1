// SPDX-License-Identifier: Apache-2.0
// What counting one request costs, in nanoseconds: on one key that all threads want, and on many.
#include <fmt/core.h>

#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "plugin/window_counters.h"

using namespace sluice;

namespace {

double nanoseconds_a_take(unsigned threads, std::uint64_t keys) {
  constexpr std::uint64_t takes = 2'000'000;
  plugin::WindowCounters counters;
  const Instant now = Clock::system().now();
  std::vector<std::thread> running;
  for (unsigned t = 0; t < threads; ++t) {
    running.emplace_back([&counters, keys, now] {
      for (std::uint64_t i = 0; i < takes; ++i)
        counters.take_fixed(hash64(i % keys), takes * 100, std::chrono::hours(1), now);
    });
  }
  for (auto& thread : running) thread.join();
  const Duration spent = Clock::system().now() - now;
  return static_cast<double>(spent.count()) / static_cast<double>(takes);
}

}  // namespace

int main() {
  for (const unsigned threads : {1U, 2U, 4U}) {
    for (const std::uint64_t keys : {1ULL, 1000ULL, 100'000ULL})
      fmt::print("{} threads, {:6} keys: {:6.1f} ns a take and thread\n", threads, keys,
                 nanoseconds_a_take(threads, keys));
  }
}
