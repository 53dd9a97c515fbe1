// SPDX-License-Identifier: Apache-2.0
#include "net/tls_sessions.h"

#include <openssl/ssl.h>

namespace sluice::net {

void TlsSessions::Release::operator()(ssl_session_st* session) const { SSL_SESSION_free(session); }

TlsSessions::~TlsSessions() = default;

void TlsSessions::keep(std::uint64_t key, ssl_session_st* session) {
  // Mostly of servers long gone; each costs one full handshake to have again.
  if (sessions_.size() >= kept_max && !sessions_.contains(key)) sessions_.clear();
  sessions_[key].reset(session);
}

ssl_session_st* TlsSessions::find(std::uint64_t key) const {
  const auto found = sessions_.find(key);
  return found == sessions_.end() ? nullptr : found->second.get();
}

}  // namespace sluice::net
