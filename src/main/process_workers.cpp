// SPDX-License-Identifier: Apache-2.0
// The part of the process that makes its workers and gives them their ports.
#include "main/process.h"

namespace sluice::main {

Result<> Process::make_workers() {
  config_.gateway.workers = config_.workers;
  config_.gateway.public_apis = registry_.public_apis(
      {{"batch-requests", config_.batch_requests_uri}, {"prometheus", config_.prometheus_uri}});
  for (std::size_t i = 0; i < config_.workers; ++i) {
    Thread& thread = threads_.emplace_back();
    thread.loop = std::make_unique<async::Loop>();
    thread.worker = std::make_unique<gateway::Worker>(
        *thread.loop, static_cast<unsigned>(i), net::Network::system(), config_.gateway,
        [this](const gateway::Snapshot* snapshot) { publisher_.retired(snapshot); });
    thread.worker->set_resolver([this, &loop = *thread.loop](std::string name, Instant deadline) {
      return names_->resolve_for(loop, std::move(name), deadline);
    });
    thread.worker->metrics.use(config_.metrics);
    publisher_.add(*thread.worker);
  }
  return listen();
}

// The sockets of a port go round the workers.
Result<> Process::listen() {
  for (const auto& at : config_.gateway.listen) {
    std::size_t next = 0;
    for (const int socket : listeners_.take({Port::data, at.endpoint})) {
      gateway::Worker& worker = *threads_[next++ % threads_.size()].worker;
      if (auto listening = worker.listen(at, {.descriptor = socket}, at.tls ? tls_front_ : nullptr);
          !listening) return listening;
    }
  }
  for (const auto& at : config_.gateway.stream_listen) {
    std::size_t next = 0;
    for (const int socket : listeners_.take({Port::stream, at.endpoint})) {
      auto& streams = threads_[next++ % threads_.size()].worker->streams();
      if (auto listening = streams.listen(at, {.descriptor = socket}, at.tls ? tls_front_ : nullptr);
          !listening) return listening;
    }
  }
  for (const auto& at : config_.gateway.datagram_listen) {
    std::size_t next = 0;
    for (const int socket : listeners_.take({Port::datagrams, at.endpoint})) {
      auto& datagrams = threads_[next++ % threads_.size()].worker->datagrams();
      if (auto listening = datagrams.listen(at, socket); !listening) return listening;
    }
  }
  return {};
}

}  // namespace sluice::main
