// SPDX-License-Identifier: Apache-2.0
// The router at 100,000 routes on 1,000 hosts: a lookup, a change, memory. Built with SLUICE_BENCH; prints
// one line each.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "gateway/router.h"

namespace {

using namespace sluice;
using namespace sluice::gateway;

// Resident memory of this process, bytes.
std::size_t resident() {
  std::size_t total = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> total >> pages;
  return pages * 4096;
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

RouteSpec spec_of(std::size_t i, bool prefix) {
  return {.id = std::to_string(i),
          .uris = {"/api/v" + std::to_string(i / 1000) + "/resource" + (prefix ? "/*" : "")},
          .hosts = {"host" + std::to_string(i % 1000) + ".example.com"}};
}

void run(bool prefix) {
  constexpr std::size_t count = 100'000;
  Router router(RouterMode::host_uri);
  std::vector<Route*> routes(count);
  const std::size_t before = resident();
  auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    routes[i] = *Route::make(spec_of(i, prefix), router.mode());
    router.add(*routes[i]);
  }
  std::printf("%s: build %.0f ns a route, ", prefix ? "prefix" : "exact", since(start) / count);
  std::printf("%zu bytes a route\n", (resident() - before) / count);

  Random random(1);
  std::size_t found = 0;
  constexpr std::size_t batch = 64;  // what is asked is warm, as a request in its read buffer is
  std::vector<std::pair<std::string, std::string>> asked(batch);
  double lookup = 0;
  for (int round = 0; round < 3000; ++round) {
    for (auto& [host, path] : asked) {
      const std::size_t r = random.below(count);
      host = "host" + std::to_string(r % 1000) + ".example.com";
      path = "/api/v" + std::to_string(r / 1000) + "/resource" + (prefix ? "/x" : "");
    }
    start = std::chrono::steady_clock::now();
    for (const auto& [host, path] : asked) {
      RouteMatch match;
      found += router.match({http::Method::get, host, host, path, IpAddress::loopback(), nullptr}, match);
    }
    lookup += since(start);
  }
  std::printf("%s: lookup %.0f ns (%zu found)\n", prefix ? "prefix" : "exact", lookup / (3000.0 * batch),
              found);

  start = std::chrono::steady_clock::now();
  constexpr int changes = 10'000;
  for (int i = 0; i < changes; ++i) {
    const std::size_t r = random.below(count);
    Router next = router;
    next.remove(*routes[r]);
    Route* fresh = *Route::make(spec_of(r, prefix), router.mode());
    next.add(*fresh);
    radix::release(std::exchange(routes[r], fresh));
    router = std::move(next);
  }
  std::printf("%s: change %.0f ns\n", prefix ? "prefix" : "exact", since(start) / changes);
  for (Route* route : routes) radix::release(route);
}

}  // namespace

int main() {
  run(false);
  run(true);
}
