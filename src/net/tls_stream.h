// SPDX-License-Identifier: Apache-2.0
// The stream of a TLS connection, and what contexts and handshakes share of OpenSSL; for the source files of
// this folder only.
#pragma once
#include "net/openssl.h"
#include "net/ocsp.h"
#include "net/tls.h"
#include "net/tls_facts.h"
#include "net/tls_front.h"
#include "net/tls_sessions.h"

namespace sluice::net {

struct TlsVersions {
  int least, most;
};
// "TLSv1.2", "TLSv1.3"; none: both.
Result<TlsVersions> tls_versions(const std::vector<std::string>& names);

// Names that begin with TLS_ are suites of TLS 1.3 (RFC 8446 §B.4), all others ciphers of the versions
// before. Where none are named OpenSSL's stay for those; of TLS 1.3 all are there, AES of 128 bits first.
Result<> set_ciphers(SSL_CTX* context, std::string_view list);
void set_modes(SSL_CTX* context);
void set_server_options(SSL_CTX* context);

using VerifyCallback = int (*)(int, X509_STORE_CTX*);
int verify_mode_of(const TlsContext& context);
VerifyCallback verify_callback_of(const TlsContext& context);

// OpenSSL's callback: the server has given the client a session to come back with.
int keep_session(SSL* ssl, SSL_SESSION* session);

class TlsStream final : public Stream {
 public:
  // `context` is null while it is not known yet which serves the connection.
  TlsStream(SSL_CTX* made_of, std::shared_ptr<const TlsContext> context, std::unique_ptr<Stream> below);
  ~TlsStream() override;
  static TlsStream& of(SSL* ssl) { return *static_cast<TlsStream*>(SSL_get_app_data(ssl)); }

  SSL* ssl() { return ssl_; }
  Stream& below() { return *below_; }
  void handshake_done();

  // ---- of a server whose certificate is chosen ----
  void ask(Certificates& certificates, std::shared_ptr<const TlsFront> front) {
    certificates_ = &certificates;
    front_ = std::move(front);
  }
  const TlsFront& front() const { return *front_; }
  // False: there is none for that name.
  bool choose(std::string_view server_name);
  // In the middle of a handshake whose client wants an OCSP answer: has one fetched when that is due.
  void refresh(const std::shared_ptr<OcspStaple>& staple);

  // ---- of a client ----
  void resume_with(TlsResumption resumption);
  TlsResumption& resumption() { return resumption_; }

  ssize_t try_read(char* into, std::size_t size) override;
  ssize_t try_write(const iovec* pieces, int count) override;
  void shutdown_write() override { SSL_shutdown(ssl_); }
  bool maybe_readable() const override;
  bool maybe_writable() const override { return below_->maybe_writable(); }
  bool broken() const override { return broken_ || below_->broken(); }
  bool idle_and_whole() override {
    return SSL_has_pending(ssl_) == 0 && !ended_ && !broken_ && below_->idle_and_whole();
  }
  bool secure() const override { return true; }
  const TlsFacts* tls() const override { return &facts_; }

 private:
  ssize_t write_record(const void* bytes, std::size_t size);

  std::shared_ptr<const TlsContext> context_;
  std::shared_ptr<const TlsFront> front_;
  std::unique_ptr<Stream> below_;
  SSL* ssl_;
  TlsFacts facts_;
  Certificates* certificates_ = nullptr;
  TlsResumption resumption_;
  bool handshake_done_ = false, ended_ = false, broken_ = false;
  bool starved_ = false;  // what is buffered is part of a record: only more of it helps
};

}  // namespace sluice::net
