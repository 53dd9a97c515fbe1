// SPDX-License-Identifier: Apache-2.0
// Names to addresses, with c-ares on an event loop: A and AAAA, /etc/hosts, the search domains of
// /etc/resolv.conf. Lookups of one name at the same time are one query; answers are kept for their TTL in a
// bounded cache, failures for a second. Belongs to one loop; whoever waits for an answer must not destroy the
// resolver. The heavy header stays in the source file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "base/address.h"
#include "base/result.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace sluice::net {

struct ResolverOptions {
  std::vector<Endpoint> servers;               // empty: those of /etc/resolv.conf
  std::optional<Duration> valid;               // replaces every TTL (dns_resolver_valid)
  Duration timeout = std::chrono::seconds(5);  // for one name, all tries together (resolver_timeout)
  bool ipv6 = true;                            // ask for AAAA too
  bool search = true;                          // try the search domains
  std::size_t cache_max = 4096;                // names
};

struct Resolved {
  std::vector<IpAddress> addresses;  // sorted, no duplicates, at least one
  Duration ttl{};                    // how long they hold from now on; at least a second
};

class Resolver {
 public:
  static Result<std::unique_ptr<Resolver>> make(async::Loop& loop, ResolverOptions options);
  Resolver(const Resolver&) = delete;
  ~Resolver();

  // An address as text is its own answer. Errors: resolve (no such name, no address), timeout, limit.
  async::Task<Result<Resolved>> resolve(std::string_view name);

  std::size_t cached() const { return cache_.size(); }
  std::uint64_t queries() const { return queries_; }  // names asked for, not found in the cache

 private:
  struct Lookup;
  class Wait;
  class Socket;
  struct Entry {
    Result<Resolved> answer;
    Instant until;
  };

  explicit Resolver(async::Loop& loop, ResolverOptions options);
  async::Task<Result<Resolved>> wait_for(std::shared_ptr<Lookup> lookup);
  std::shared_ptr<Lookup> start(const std::string& name);
  void answered(Lookup& lookup, int status, const ares_addrinfo* info);
  Result<Resolved> answer_of(const std::string& name, int status, const ares_addrinfo* info) const;
  void remember(const std::string& name, const Result<Resolved>& answer);
  void set_socket(int descriptor, bool wanted);
  void process(int readable, int writable);
  void wake_waiters();
  void set_timer();
  static void timed_out(void* self);

  async::Loop& loop_;
  ResolverOptions options_;
  ares_channeldata* channel_ = nullptr;
  async::Timer timer_;
  std::map<int, std::unique_ptr<Socket>> sockets_;
  std::map<std::string, std::shared_ptr<Lookup>, std::less<>> lookups_;
  std::vector<std::shared_ptr<Lookup>> finished_;
  std::map<std::string, Entry, std::less<>> cache_;
  std::uint64_t queries_ = 0;
  bool closing_ = false;
};

}  // namespace sluice::net
