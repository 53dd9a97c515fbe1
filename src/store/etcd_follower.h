// SPDX-License-Identifier: Apache-2.0
// Keeps a replica of what stands below one prefix in etcd: reads everything, then follows one watch, from
// where it was after a disconnect; reads everything again when the changes since are gone (compaction) or
// etcd is not what it was (a backup was restored). Goes on trying for as long as it lives. One loop.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "async/child.h"
#include "async/loop.h"
#include "store/etcd_client.h"
#include "store/replica.h"

namespace sluice::store {

class EtcdFollower {
 public:
  struct Events {
    // The replica has changed; it is whole again after a reading. From the loop's top level.
    std::function<void(std::vector<Change>)> changed;
    // How it goes has changed: `standing`.
    std::function<void()> told;
  };
  // What is followed.
  struct Place {
    std::string outer;       // the prefix in etcd, "/apisix/"
    std::string inner;       // what stands for it in the replica's keys, "/apisix/"
    std::string_view what;   // in the log: "configuration"
  };
  EtcdFollower(async::Loop& loop, EtcdClient& client, const EtcdOptions& options, Place place,
               Replica& replica, Events events);

  void start() {
    running_.start(run());
    looking_after_.start(look_after());
  }
  // The watch is open and everything up to it is in the replica.
  bool in_step() const { return standing_.reachable; }
  const Standing& standing() const { return standing_; }
  // Times in a row that it did not work.
  int failures() const { return failures_; }

  // All that is followed.
  const etcd::KeyRange& keys() const { return keys_; }
  // A key of the replica as etcd has it, and back; "" when it is none of ours.
  std::string outer(std::string_view key) const;
  std::string inner(std::string_view key) const;

 private:
  async::Task<> run();
  async::Task<> look_after();
  async::Task<Result<>> read_all();
  async::Task<Result<>> follow();
  Result<> take(std::vector<etcd::WatchAnswer> answers);
  Result<> ended(const etcd::WatchAnswer& answer);
  void reached();
  void lost(const Error& error);
  Duration backoff() const;

  async::Loop& loop_;
  EtcdClient& client_;
  const EtcdOptions& options_;
  etcd::KeyRange keys_;
  Place place_;
  Replica& replica_;
  Events events_;
  Standing standing_;
  int failures_ = 0;
  std::string cluster_;  // whose revisions they are
  std::string watched_;  // the member that the watch is open at
  bool read_again_ = true;
  async::Child running_, looking_after_;
};

}  // namespace sluice::store
