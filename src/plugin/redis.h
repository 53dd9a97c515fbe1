// SPDX-License-Identifier: Apache-2.0
// A client of Redis on one worker: a single server, one that sentinels name, or a cluster, with or without
// TLS. Connections are kept; a server that moved, failed over or ended an idle connection is found again
// within the time a question has. Lives in the worker's local state; questions die with whoever awaits them.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/child.h"
#include "net/stream.h"
#include "plugin/exchange.h"
#include "plugin/redis_config.h"
#include "plugin/redis_protocol.h"

namespace sluice::plugin {

class Redis final : public Local {
 public:
  explicit Redis(Worker& worker) : worker_(worker) {}
  bool is_set_up() const { return is_set_up_; }
  void set_up(const RedisConfig& config);

  // Runs a command that is about `key` (in a cluster it decides whom to ask). A reply that is an error is an
  // error.
  async::Task<Result<RedisValue>> ask(std::string key, RedisCommand command);
  // Runs a script on one key. Servers that know it already are told its digest only.
  async::Task<Result<RedisValue>> run(const class RedisScript& script, std::string key,
                                      std::vector<std::string> arguments);
  // The same for a script whose answer nobody waits for. Bounded; what is beyond is dropped and logged.
  void send(const RedisScript& script, std::string key, std::vector<std::string> arguments);

 private:
  struct Link {
    std::unique_ptr<net::Stream> stream;
    RedisParser replies;
    Instant idle_since{};
  };
  struct Asked;
  static constexpr std::size_t slots = 16384;

  async::Task<Result<RedisValue>> ask_in_time(std::string key, RedisCommand command, Instant deadline);
  async::Task<Result<RedisValue>> ask_at(std::string server, const RedisCommand& command, bool asking,
                                         Instant deadline);
  async::Task<Result<std::unique_ptr<Link>>> open(std::string server, Instant deadline);
  async::Task<Result<std::unique_ptr<Link>>> connect(std::string server, std::string user,
                                                     std::string password, Instant deadline);
  async::Task<Result<RedisValue>> exchange(Link& link, const RedisCommand& command, Instant deadline);
  async::Task<Result<std::string>> find_server(std::string_view key, Instant deadline);
  async::Task<Result<std::string>> find_master(Instant deadline);
  async::Task<Result<>> learn_slots(Instant deadline);
  void take_slots(const RedisValue& reply, const std::string& asked);
  async::Task<> run_unawaited(const RedisScript& script, std::string key, std::vector<std::string> arguments);
  std::unique_ptr<Link> take(const std::string& server);
  void give(const std::string& server, std::unique_ptr<Link> link);
  bool is_cluster() const { return config_.policy == Policy::redis_cluster; }

  Worker& worker_;
  RedisConfig config_;
  bool is_set_up_ = false;
  std::string master_;                    // as sentinels said; empty: to be asked again
  std::vector<std::string> servers_;      // of a cluster
  std::vector<std::uint16_t> owners_;     // by slot, into servers_; empty: to be asked again
  std::map<std::string, std::vector<std::unique_ptr<Link>>> idle_;  // by server
  std::vector<std::unique_ptr<async::Child>> sending_;
  Instant told_{};  // about sends that were dropped
};

// A script for servers to run, made once.
class RedisScript {
 public:
  explicit RedisScript(std::string_view text);
  const std::string& text() const { return text_; }
  const std::string& digest() const { return digest_; }

 private:
  std::string text_, digest_;
};

}  // namespace sluice::plugin
