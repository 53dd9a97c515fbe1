// SPDX-License-Identifier: Apache-2.0
// What a worker serves below HTTP: the ports of stream_proxy, and the connections that came in by them.
// Belongs to the worker and lives on its thread.
#pragma once
#include <memory>
#include <vector>

#include "gateway/stream_session.h"

namespace sluice::gateway {

class Streams {
 public:
  explicit Streams(Worker& worker) : worker_(worker) {}
  Streams(const Streams&) = delete;

  // Takes connections from now on; with `tls`, by its handshakes.
  Result<> listen(const StreamListen& at, net::ListenOptions options,
                  std::shared_ptr<const net::TlsFront> tls = nullptr);
  void stop_listening() { listeners_.clear(); }
  void clear() {
    listeners_.clear();
    sessions_.clear();
  }
  bool empty() const { return sessions_.empty(); }
  std::size_t size() const { return sessions_.size(); }
  void ended(StreamSession& session);

 private:
  void take(net::Accepted accepted, const std::shared_ptr<const StreamPort>& port);

  Worker& worker_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<std::unique_ptr<StreamSession>> sessions_;
  std::uint64_t accepted_ = 0;
  Instant full_told_{};  // when the log last said that there were too many
};

}  // namespace sluice::gateway
