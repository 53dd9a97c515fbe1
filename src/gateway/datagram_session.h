// SPDX-License-Identifier: Apache-2.0
// One client's datagrams on a worker: its stream route leads them to a peer, each as it came, and the peer's
// answers go back to the client from the address it wrote to. What comes before the route has decided waits,
// within limits. Belongs to the worker's `Datagrams`.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "async/child.h"
#include "gateway/datagrams.h"
#include "gateway/peer_choice.h"
#include "gateway/stream_serving.h"

namespace sluice::gateway {

class DatagramSession {
 public:
  static constexpr std::size_t waiting_max = 16;           // datagrams
  static constexpr std::size_t waiting_bytes_max = 65'536;
  static constexpr Duration drain_patience = std::chrono::seconds(5);

  DatagramSession(Datagrams& owner, Datagrams::Key key, std::uint64_t number);
  DatagramSession(const DatagramSession&) = delete;
  void start() { life_.start(run()); }

  // Of the client.
  void take(std::string_view bytes);
  void drain();
  Duration silent() const;
  const Datagrams::Key& key() const { return key_; }

 private:
  friend class Datagrams;
  async::Task<> run();
  async::Task<> serve();
  async::Task<> until_silent();
  async::Task<> run_out();
  bool reach(const Destination& destination);
  void send_up(std::string_view bytes);
  void lost(ssize_t error);
  static void answers(void* self);
  void pass_answers();
  void touch(bool answered);

  Datagrams& owner_;
  Datagrams::Key key_;
  std::uint64_t number_;
  Datagrams::Order::iterator place_;
  bool answered_ = false;
  Instant last_;
  Duration patience_;
  std::vector<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  StreamServing serving_;
  PeerChoice choice_;
  const upstream::Peer* peer_ = nullptr;
  std::unique_ptr<net::DatagramSocket> socket_;  // to the peer
  async::Child life_;    // last: destroyed first
};

}  // namespace sluice::gateway
