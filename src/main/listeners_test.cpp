// SPDX-License-Identifier: Apache-2.0
#include "main/listeners.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "net/network.h"

namespace sluice::main {
namespace {

const Endpoint any_port{IpAddress::loopback(), 0};

// Clients at `listen`, `workers` of them behind it, and no other port.
Config with(std::vector<Endpoint> listen, std::size_t workers) {
  Config config;
  for (const Endpoint& at : listen) config.gateway.listen.push_back({at, false});
  config.workers = workers;
  config.admin = config.control = config.status = config.prometheus_export = false;
  return config;
}

void close_all(const std::vector<int>& sockets) {
  for (const int socket : sockets) ::close(socket);
}

TEST(Listeners, HaveASocketForEachWorkerOnOnePort) {
  Listeners listeners;
  ASSERT_TRUE(listeners.open(with({any_port}, 3)));
  const auto sockets = listeners.take({Port::data, any_port});
  ASSERT_EQ(sockets.size(), 3u);
  for (const int socket : sockets)
    EXPECT_EQ(net::bound_to(socket, {}), net::bound_to(sockets[0], {})) << "not the same port";
  close_all(sockets);
}

TEST(Listeners, KeepEverySocketWhenThereAreFewerWorkers) {
  Listeners listeners;
  ASSERT_TRUE(listeners.open(with({any_port}, 3)));
  const Config fewer = with({any_port}, 1);
  ASSERT_TRUE(listeners.open(fewer));
  listeners.keep_only(fewer);
  const auto sockets = listeners.take({Port::data, any_port});
  EXPECT_EQ(sockets.size(), 3u);
  close_all(sockets);
}

TEST(Listeners, CloseWhatIsNotAskedForAnyMore) {
  auto free = net::listening_socket(any_port, {.reuse_port = false});
  ASSERT_TRUE(free);
  const Endpoint first = net::bound_to(*free, any_port);
  ::close(*free);
  Listeners listeners;
  ASSERT_TRUE(listeners.open(with({first, any_port}, 1)));
  listeners.keep_only(with({any_port}, 1));
  EXPECT_TRUE(listeners.take({Port::data, first}).empty());
  auto again = net::listening_socket(first, {.reuse_port = false});
  EXPECT_TRUE(again);
  if (again) ::close(*again);
}

TEST(Listeners, AreAsBeforeWhenAPortIsTaken) {
  auto taken = net::listening_socket(any_port, {.reuse_port = true});
  ASSERT_TRUE(taken);
  const Endpoint there = net::bound_to(*taken, any_port);
  Listeners listeners;
  ASSERT_TRUE(listeners.open(with({any_port}, 1)));
  const auto opened = listeners.open(with({any_port, there}, 2));
  ASSERT_FALSE(opened) << "another process's port was shared in silence";
  EXPECT_NE(opened.error().what.find(there.text()), std::string::npos) << opened.error().what;
  const auto sockets = listeners.take({Port::data, any_port});
  EXPECT_EQ(sockets.size(), 1u);
  close_all(sockets);
  ::close(*taken);
}

}  // namespace
}  // namespace sluice::main
