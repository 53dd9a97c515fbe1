// SPDX-License-Identifier: Apache-2.0
// What every TLS listener of the gateway shares, whichever certificate it is that a client is shown: versions
// of the protocol, how handshakes are made short (sessions kept here, or tickets that the clients keep), and
// the moment at which the certificate is chosen. Made once a process; immutable but for sessions and ticket
// keys, which OpenSSL and TicketKeys lock.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "net/tls.h"
#include "net/tls_tickets.h"

namespace sluice::net {

class TlsFront {
 public:
  struct Options {
    std::vector<std::string> protocols;  // empty: TLS 1.2 and 1.3
    std::string ciphers;                 // checked only: each context brings its own
    bool tickets = false;                // false: sessions are kept here, 20,480 of them
    const Clock& clock = Clock::system();
  };
  static Result<std::shared_ptr<const TlsFront>> make(const Options& options);
  TlsFront(const TlsFront&) = delete;
  ~TlsFront();

  ssl_ctx_st* raw() const { return context_; }

 private:
  TlsFront(ssl_ctx_st* context, const Clock& clock);
  ssl_ctx_st* context_;
  TicketKeys keys_;
};

}  // namespace sluice::net
