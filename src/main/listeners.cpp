// SPDX-License-Identifier: Apache-2.0
#include "main/listeners.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "net/datagram.h"
#include "net/network.h"

namespace sluice::main {
namespace {

using Wanted = std::map<Listeners::Place, std::size_t>;

Wanted wanted_by(const Config& config) {
  Wanted wanted;
  for (const auto& listen : config.gateway.listen) wanted[{Port::data, listen.endpoint}] = config.workers;
  for (const auto& listen : config.gateway.stream_listen)
    wanted[{Port::stream, listen.endpoint}] = config.workers;
  for (const auto& listen : config.gateway.datagram_listen)
    wanted[{Port::datagrams, listen.endpoint}] = config.workers;
  if (config.admin) wanted[{Port::admin, config.admin_listen}] = 1;
  if (config.control) wanted[{Port::control, config.control_listen}] = 1;
  if (config.status) wanted[{Port::status, config.status_listen}] = 1;
  if (config.prometheus_export) wanted[{Port::metrics, config.prometheus_listen}] = 1;
  return wanted;
}

bool is_shared(Port port) {
  return port == Port::data || port == Port::stream || port == Port::datagrams;
}

Result<int> socket_of(Port port, const Endpoint& at, bool reuse_port) {
  return port == Port::datagrams ? net::datagram_socket(at, reuse_port)
                                 : net::listening_socket(at, {.reuse_port = reuse_port});
}

void close_all(std::vector<int>& sockets, std::size_t from) {
  for (std::size_t i = from; i < sockets.size(); ++i) ::close(sockets[i]);
  sockets.resize(std::min(from, sockets.size()));
}

}  // namespace

Result<> Listeners::open(const Config& config) {
  std::map<Place, std::size_t> before;
  for (const auto& [place, sockets] : sockets_) before[place] = sockets.size();
  for (const auto& [place, count] : wanted_by(config)) {
    auto added = add(place, count);
    if (added) continue;
    for (auto& [opened, sockets] : sockets_) close_all(sockets, before[opened]);
    std::erase_if(sockets_, [](const auto& entry) { return entry.second.empty(); });
    return added;
  }
  return {};
}

Result<> Listeners::add(const Place& place, std::size_t count) {
  auto& sockets = sockets_[place];
  const bool shared = is_shared(place.port);
  if (shared && sockets.empty()) {
    // Workers share their ports with one another; with another process they would share them silently.
    auto alone = socket_of(place.port, place.at, false);
    if (!alone) return std::unexpected(alone.error());
    ::close(*alone);
  }
  while (sockets.size() < count) {
    const Endpoint at = sockets.empty() ? place.at : net::bound_to(sockets.front(), place.at);
    auto made = socket_of(place.port, at, shared);
    if (!made) return std::unexpected(made.error());
    sockets.push_back(*made);
  }
  return {};
}

void Listeners::keep_only(const Config& config) {
  const Wanted wanted = wanted_by(config);
  for (auto& [place, sockets] : sockets_) {
    if (!wanted.contains(place)) close_all(sockets, 0);
  }
  std::erase_if(sockets_, [](const auto& entry) { return entry.second.empty(); });
}

void Listeners::close() {
  for (auto& [place, sockets] : sockets_) close_all(sockets, 0);
  sockets_.clear();
}

std::vector<int> Listeners::take(const Place& place) {
  const auto found = sockets_.find(place);
  return found == sockets_.end() ? std::vector<int>() : std::exchange(found->second, {});
}

}  // namespace sluice::main
