// SPDX-License-Identifier: Apache-2.0
// Speaks to an etcd cluster through the JSON gateway that every member has: chooses a member, goes to the
// next when one fails, authenticates and keeps the token fresh. What was asked for is done once or not at
// all, unless the error says that nobody knows. One loop, which outlives it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/client.h"
#include "json/value.h"
#include "store/etcd_wire.h"

namespace sluice::store {

struct EtcdOptions {
  struct Member {
    bool secure = false;
    std::string host;       // without brackets
    std::uint16_t port = 2379;
    std::string authority;  // as written
  };
  std::vector<Member> members;
  std::string prefix = "/apisix";
  std::string user, password;  // "": no authentication
  std::shared_ptr<const net::TlsContext> tls;  // for members that are `secure`
  std::string server_name;                     // "": each member's host
  Duration timeout = std::chrono::seconds(30);  // for one answer, all tries together
  Duration watch_timeout = std::chrono::seconds(50);  // a watch that says nothing for so long is begun anew
  Duration rest = std::chrono::seconds(10);  // a member that failed is asked last for so long
  int startup_tries = 2;                     // before the start goes on without etcd
};

// "http://10.0.0.1:2379", "https://etcd-1.local:2379"; nothing when it is no such URL.
std::optional<EtcdOptions::Member> parse_member(std::string_view url);

class EtcdClient {
 public:
  EtcdClient(async::Loop& loop, net::Network& network, const EtcdOptions& options,
             http::Client::Resolve resolve);
  EtcdClient(const EtcdClient&) = delete;
  ~EtcdClient();

  // Whether asking twice does no harm: then the next member is tried after any failure, else only when the
  // request was not sent.
  enum class Again : std::uint8_t { safe, harmful };
  // "/v3/kv/range" and so on. Errors: timeout, closed, refused … of the last member tried; limit (too much
  // for one answer or one transaction); not_found (compacted); system (etcd said no).
  async::Task<Result<json::Value>> call(std::string path, json::Value question, Again again);
  // The same, but the answer as it came.
  async::Task<Result<std::string>> fetch(std::string path, json::Value question, Again again);
  // Entries, once.
  async::Task<Result<etcd::RangeAnswer>> range(etcd::RangeQuestion question);

  // The lines of a watch. Ends with the client at the latest.
  class Watching {
   public:
    explicit Watching(std::unique_ptr<http::Client::Streamed> stream);
    // What came since the last call, at least one; `timeout` when the server has said nothing for
    // `watch_timeout`.
    async::Task<Result<std::vector<etcd::WatchAnswer>>> next();

   private:
    std::unique_ptr<http::Client::Streamed> stream_;
    etcd::Lines lines_;
  };
  async::Task<Result<std::unique_ptr<Watching>>> watch(etcd::KeyRange keys, Revision from);

  // The member that is asked first now failed: another one is next.
  void avoid_current();
  const std::string& current() const { return members_[current_]->client.server().authority; }
  // The token was not accepted.
  void forget_token() { token_.clear(); }

 private:
  struct Member {
    http::Client client;
    Instant rests_until{};
    bool down = false;  // it has been said
  };
  using Question = http::Client::Question;
  Question question(std::string path, std::string body, Instant deadline, Again again) const;
  async::Task<Result<std::string>> ask(std::string path, std::string body, Instant deadline, Again again);
  async::Task<Result<>> authenticate(Instant deadline);
  void choose();
  void failed(std::size_t member, const Error& error);

  async::Loop& loop_;
  EtcdOptions options_;
  std::vector<std::unique_ptr<Member>> members_;
  std::size_t current_ = 0;
  std::string token_;
};

}  // namespace sluice::store
