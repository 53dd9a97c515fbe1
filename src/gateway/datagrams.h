// SPDX-License-Identifier: Apache-2.0
// UDP on one worker: its ports, and for each client a session that leads to a peer of an upstream and brings
// the answers back, until nothing was said for a time. Sources cost an outsider nothing, so the sessions are
// bounded: when there are too many the one goes that is silent longest, at first of those that no peer has
// ever answered. Belongs to the worker.
#pragma once
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "gateway/settings.h"
#include "net/datagram.h"

namespace sluice::gateway {

class DatagramSession;
class Worker;

class Datagrams {
 public:
  static constexpr std::size_t sessions_max = 4096;

  explicit Datagrams(Worker& worker);
  Datagrams(const Datagrams&) = delete;
  ~Datagrams();

  // Takes datagrams from now on; the descriptor is taken over.
  Result<> listen(const StreamListen& at, int descriptor);
  // New datagrams are left to whoever has the sockets next; sessions get the answers that are under way.
  void drain();
  void clear();
  bool empty() const { return sessions_.empty(); }
  std::size_t size() const { return sessions_.size(); }

 private:
  friend class DatagramSession;
  using Order = std::list<DatagramSession*>;  // the longest silent first

  struct Port {
    Datagrams& owner;
    std::string text;
    std::unique_ptr<net::DatagramSocket> socket;
    bool again = false;  // a message is under way that goes on receiving
  };
  // One client on one of our addresses and ports.
  struct Key {
    const Port* port;
    net::DatagramSocket::Ends ends;
    bool operator==(const Key& other) const {
      return port == other.port && ends.peer == other.ends.peer && ends.local == other.ends.local;
    }
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return combine_hashes(combine_hashes(key.ends.peer.hash(), key.ends.local.hash()),
                            reinterpret_cast<std::uintptr_t>(key.port));
    }
  };
  static void readable(void* port);
  void receive(Port& port);
  void take(Port& port, const net::DatagramSocket::Ends& ends, std::string_view bytes);
  bool make_room();
  void ended(DatagramSession& session);
  void tell_full();

  Worker& worker_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::unordered_map<Key, std::unique_ptr<DatagramSession>, KeyHash> sessions_;
  Order unanswered_, answered_;
  std::uint64_t begun_ = 0, closed_early_ = 0, refused_ = 0;
  bool draining_ = false;
  Instant full_told_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::gateway
