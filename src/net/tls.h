// SPDX-License-Identifier: Apache-2.0
// TLS over any stream, with OpenSSL 3. A context is made once and shared by workers; a TLS stream owns the
// stream below it. Clients verify the server's chain and name (RFC 9525) unless told not to. The heavy
// headers stay in the source file.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "net/stream.h"

struct ssl_ctx_st;

namespace sluice::net {

class TlsContext {
 public:
  struct Server {
    std::string certificate;       // PEM chain
    std::string key;               // PEM
    std::string client_authority;  // PEM of who signs client certificates; "" asks for none
    std::vector<std::string> protocols;  // "TLSv1.2", "TLSv1.3"; empty: both
    std::string ciphers;           // OpenSSL's list for TLS 1.2; "" keeps the default
  };
  struct Client {
    bool verify = true;
    std::string authorities;       // PEM of trusted roots; "" means the system's
    std::string certificate, key;  // PEM, for servers that ask for one
  };

  static Result<std::shared_ptr<const TlsContext>> server(const Server& options);
  static Result<std::shared_ptr<const TlsContext>> client(const Client& options);
  ~TlsContext();

  ssl_ctx_st* raw() const { return context_; }
  bool verifies() const { return verify_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
  bool verify_ = true;
};

// The handshake, as server. Errors: tls, timeout, closed.
async::Task<Result<std::unique_ptr<Stream>>> tls_accept(std::shared_ptr<const TlsContext> context,
                                                        std::unique_ptr<Stream> stream, Instant deadline);
// As client; `host` is sent as SNI (when it is a name) and must be in the certificate.
async::Task<Result<std::unique_ptr<Stream>>> tls_connect(std::shared_ptr<const TlsContext> context,
                                                         std::unique_ptr<Stream> stream, std::string host,
                                                         Instant deadline);

}  // namespace sluice::net
