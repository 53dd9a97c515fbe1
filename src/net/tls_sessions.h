// SPDX-License-Identifier: Apache-2.0
// The sessions that a worker's connections to TLS servers have left behind, so that the next handshake with
// the same server needs no certificates. Only what was verified in the same way stands behind a key: a
// session that is resumed is not verified again. One loop; bounded.
#pragma once
#include <cstdint>
#include <memory>
#include <unordered_map>

struct ssl_session_st;

namespace sluice::net {

class TlsSessions {
 public:
  static constexpr std::size_t kept_max = 4096;

  TlsSessions() = default;
  TlsSessions(const TlsSessions&) = delete;
  ~TlsSessions();
  // Takes over one reference.
  void keep(std::uint64_t key, ssl_session_st* session);
  ssl_session_st* find(std::uint64_t key) const;
  std::size_t size() const { return sessions_.size(); }

 private:
  struct Release {
    void operator()(ssl_session_st* session) const;
  };
  std::unordered_map<std::uint64_t, std::unique_ptr<ssl_session_st, Release>> sessions_;
};

}  // namespace sluice::net
