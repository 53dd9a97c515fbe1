// SPDX-License-Identifier: Apache-2.0
// TLS over any stream, with OpenSSL 3. A context is made once and shared by workers; a TLS stream owns the
// stream below it. Clients verify the server's chain and name (RFC 9525) unless told not to. The heavy
// headers stay in the source files.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "net/stream.h"

struct ssl_ctx_st;
struct x509_store_st;

namespace sluice::net {

class OcspStaple;
class TlsFront;
class TlsSessions;

// Certificates of those who are trusted to sign others. Read once, shared by every context.
class TrustStore {
 public:
  // Those of the system.
  static std::shared_ptr<const TrustStore> system();
  static Result<std::shared_ptr<const TrustStore>> of(const std::string& pem);
  explicit TrustStore(x509_store_st* store) : store_(store) {}
  TrustStore(const TrustStore&) = delete;
  ~TrustStore();
  x509_store_st* raw() const { return store_; }

 private:
  x509_store_st* store_;
};

class TlsContext {
 public:
  struct Pair {
    std::string certificate;  // PEM chain
    std::string key;          // PEM
  };
  enum class ClientCertificate : std::uint8_t {
    required,  // without a good one there is no connection
    asked,     // whoever serves the connection looks at TlsFacts
  };
  struct Server {
    std::string certificate;       // PEM chain
    std::string key;               // PEM
    std::vector<Pair> further;     // for clients that want another algorithm
    std::string client_authority;  // PEM of who signs client certificates; "" asks for none
    int client_depth = 9;          // authorities between it and a client's certificate, at most
    ClientCertificate client = ClientCertificate::required;
    std::vector<std::string> protocols;  // "TLSv1.2", "TLSv1.3"; empty: both
    std::string ciphers;           // OpenSSL's names (tls_stream.h, set_ciphers); "" keeps the default
    bool http2 = false;            // offered beside HTTP/1.1 (RFC 7301)
    std::vector<std::shared_ptr<OcspStaple>> staples;  // of the certificates that have one
  };
  struct Client {
    bool verify = true;
    std::string authorities;       // PEM of trusted roots; "" means `roots`
    std::shared_ptr<const TrustStore> roots;  // null: the system's
    std::string certificate, key;  // PEM, for servers that ask for one
    bool http2 = false;            // asks for HTTP/2 and nothing else
    bool pinned = false;  // a certificate among `authorities` is trusted as it is, whoever has signed it
  };

  static Result<std::shared_ptr<const TlsContext>> server(const Server& options);
  static Result<std::shared_ptr<const TlsContext>> client(const Client& options);
  TlsContext(const TlsContext&) = delete;
  ~TlsContext();

  ssl_ctx_st* raw() const { return context_; }
  bool verifies() const { return verify_; }
  // Of a server: what identifies those whose certificates it takes; empty when it asks for none. Two contexts
  // with the same text know a client equally well.
  const std::string& client_domain() const { return client_domain_; }
  ClientCertificate client_certificate() const { return client_; }
  int client_depth() const { return client_depth_; }
  const std::vector<std::shared_ptr<OcspStaple>>& staples() const { return staples_; }
  int version_min() const { return version_min_; }
  int version_max() const { return version_max_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
  bool verify_ = true;
  ClientCertificate client_ = ClientCertificate::required;
  int client_depth_ = 0, version_min_ = 0, version_max_ = 0;
  std::string client_domain_;
  std::vector<std::shared_ptr<OcspStaple>> staples_;
};

// Which certificate a client is shown, asked in the middle of its handshake.
class Certificates {
 public:
  // `server_name` is what the client asks for, in lower case and without a dot at its end; "" when it names
  // nothing. Null: the handshake is refused.
  virtual std::shared_ptr<const TlsContext> find(std::string_view server_name) = 0;
  // Somebody has to ask the responder of `staple`, and was found to do so: `staple` waits for what it said.
  virtual void ask_responder(std::shared_ptr<OcspStaple> staple);

 protected:
  ~Certificates() = default;
};

// The handshake, as server. Errors: tls, timeout, closed.
async::Task<Result<std::unique_ptr<Stream>>> tls_accept(std::shared_ptr<const TlsContext> context,
                                                        std::unique_ptr<Stream> stream, Instant deadline);
// The same where the certificate depends on the name that the client asks for. `certificates` outlives the
// task.
async::Task<Result<std::unique_ptr<Stream>>> tls_accept(std::shared_ptr<const TlsFront> front,
                                                        Certificates& certificates,
                                                        std::unique_ptr<Stream> stream, Instant deadline);

// Where a client keeps what makes the next handshake with the same server short.
struct TlsResumption {
  std::shared_ptr<TlsSessions> sessions;  // null: each handshake is a full one
  std::uint64_t key = 0;                  // of the server, the name, and how it is verified
};
// As client; `host` is sent as SNI (when it is a name) and must be in the certificate.
async::Task<Result<std::unique_ptr<Stream>>> tls_connect(std::shared_ptr<const TlsContext> context,
                                                         std::unique_ptr<Stream> stream, std::string host,
                                                         Instant deadline, TlsResumption resumption = {});

}  // namespace sluice::net
