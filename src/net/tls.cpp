// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "base/address.h"

namespace sluice::net {
namespace {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* p) const { free(p); }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;

std::string openssl_error(std::string_view what) {
  char text[256] = "unknown error";
  if (const auto code = ERR_peek_last_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return std::string(what) + ": " + text;
}

Bio memory_of(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Result<> use_certificate(SSL_CTX* context, const std::string& chain, const std::string& key_text) {
  Bio bio = memory_of(chain);
  Certificate leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  if (!leaf) return fail(ErrorKind::tls, openssl_error("the certificate is no PEM certificate"));
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return fail(ErrorKind::tls, openssl_error("certificate"));
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      return fail(ErrorKind::tls, openssl_error("certificate chain"));
    }
  }
  ERR_clear_error();  // the end of the PEM text
  Bio key_bio = memory_of(key_text);
  Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (!key) return fail(ErrorKind::tls, openssl_error("the key is no PEM private key"));
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return fail(ErrorKind::tls, openssl_error("the private key does not belong to the certificate"));
  }
  return {};
}

Result<> trust(SSL_CTX* context, const std::string& authorities) {
  Bio bio = memory_of(authorities);
  int count = 0;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    Certificate authority(next);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next);
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return fail(ErrorKind::tls, "the trusted certificates hold no PEM certificate");
  return {};
}

int version_of(const std::string& name) {
  if (name == "TLSv1.1") return TLS1_1_VERSION;
  if (name == "TLSv1.2") return TLS1_2_VERSION;
  if (name == "TLSv1.3") return TLS1_3_VERSION;
  return 0;
}

Result<> set_protocols(SSL_CTX* context, const std::vector<std::string>& names) {
  int least = TLS1_3_VERSION, most = TLS1_2_VERSION;
  for (const auto& name : names) {
    const int version = version_of(name);
    if (version == 0) return fail(ErrorKind::tls, "'" + name + "' is none of TLSv1.1, TLSv1.2, TLSv1.3");
    least = std::min(least, version);
    most = std::max(most, version);
  }
  if (names.empty()) least = TLS1_2_VERSION, most = TLS1_3_VERSION;
  SSL_CTX_set_min_proto_version(context, least);
  SSL_CTX_set_max_proto_version(context, most);
  return {};
}

// OpenSSL's transport, led to the stream below.
int bio_write(BIO* bio, const char* data, int size) {
  auto* stream = static_cast<Stream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const iovec piece{const_cast<char*>(data), static_cast<std::size_t>(size)};
  const ssize_t written = stream->try_write(&piece, 1);
  if (written == -EAGAIN) BIO_set_retry_write(bio);
  return written < 0 ? -1 : static_cast<int>(written);
}

int bio_read(BIO* bio, char* into, int size) {
  auto* stream = static_cast<Stream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t count =
      stream->maybe_readable() ? stream->try_read(into, static_cast<std::size_t>(size)) : -EAGAIN;
  if (count == -EAGAIN) BIO_set_retry_read(bio);
  return count < 0 ? -1 : static_cast<int>(count);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* stream_bio() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice stream");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

class TlsStream final : public Stream {
 public:
  TlsStream(std::shared_ptr<const TlsContext> context, std::unique_ptr<Stream> below)
      : Stream(below->loop()),
        context_(std::move(context)),
        below_(std::move(below)),
        ssl_(SSL_new(context_->raw())) {
    SLUICE_CHECK(ssl_ != nullptr);
    BIO* bio = BIO_new(stream_bio());
    BIO_set_data(bio, below_.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
  }
  ~TlsStream() {
    if (handshake_done_) SSL_shutdown(ssl_);  // sends close_notify if the socket takes it
    SSL_free(ssl_);
    ERR_clear_error();
  }

  SSL* ssl() { return ssl_; }
  Stream& below() { return *below_; }
  void handshake_done() {
    handshake_done_ = true;
    below_->set_owner(this);
  }

  ssize_t try_read(char* into, std::size_t size) override {
    ERR_clear_error();
    std::size_t count = 0;
    if (SSL_read_ex(ssl_, into, size, &count) == 1) return static_cast<ssize_t>(count);
    switch (SSL_get_error(ssl_, 0)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
      case SSL_ERROR_ZERO_RETURN:
        ended_ = true;
        return 0;
      default:
        broken_ = true;
        return -ECONNRESET;
    }
  }

  ssize_t try_write(const iovec* pieces, int count) override {
    ERR_clear_error();
    ssize_t total = 0;
    for (int i = 0; i < count; ++i) {
      if (pieces[i].iov_len == 0) continue;
      std::size_t written = 0;
      if (SSL_write_ex(ssl_, pieces[i].iov_base, pieces[i].iov_len, &written) != 1) {
        const int error = SSL_get_error(ssl_, 0);
        if (total > 0) return total;
        if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) return -EAGAIN;
        broken_ = true;
        return -EPIPE;
      }
      total += static_cast<ssize_t>(written);
      if (written < pieces[i].iov_len) break;
    }
    return total;
  }

  void shutdown_write() override { SSL_shutdown(ssl_); }
  bool maybe_readable() const override {
    return SSL_has_pending(ssl_) == 1 || ended_ || broken_ || below_->maybe_readable();
  }
  bool maybe_writable() const override { return below_->maybe_writable(); }
  bool broken() const override { return broken_ || below_->broken(); }
  bool idle_and_whole() override {
    return SSL_has_pending(ssl_) == 0 && !ended_ && !broken_ && below_->idle_and_whole();
  }
  bool secure() const override { return true; }

 private:
  std::shared_ptr<const TlsContext> context_;
  std::unique_ptr<Stream> below_;
  SSL* ssl_;
  bool handshake_done_ = false, ended_ = false, broken_ = false;
};

Error handshake_error(SSL* ssl, std::string_view what, Fault fault) {
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) {
    ERR_clear_error();
    return {
        ErrorKind::tls, fault,
        std::string(what) + ": the certificate was not accepted: " + X509_verify_cert_error_string(verified),
        false};
  }
  return {ErrorKind::tls, fault, openssl_error(what), false};
}

async::Task<Result<std::unique_ptr<Stream>>> handshake(std::unique_ptr<TlsStream> stream, Instant deadline,
                                                       Fault fault) {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(stream->ssl());
    if (done == 1) break;
    const int error = SSL_get_error(stream->ssl(), done);
    ssize_t waited = 0;
    if (error == SSL_ERROR_WANT_READ) {
      waited = co_await stream->below().readable(deadline);
    } else if (error == SSL_ERROR_WANT_WRITE) {
      waited = co_await stream->below().writable(deadline);
    } else if (error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {
      co_return std::unexpected(Error{ErrorKind::closed, fault, "TLS handshake: the connection ended", true});
    } else {
      co_return std::unexpected(handshake_error(stream->ssl(), "TLS handshake", fault));
    }
    if (waited == -ETIMEDOUT) {
      co_return std::unexpected(Error{ErrorKind::timeout, fault, "TLS handshake timed out", true});
    }
  }
  stream->handshake_done();
  co_return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const Server& options) {
  Context made(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = made.get();
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  if (auto set = set_protocols(context, options.protocols); !set) return std::unexpected(set.error());
  if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) != 1) {
    return fail(ErrorKind::tls, openssl_error("cipher list '" + options.ciphers + "'"));
  }
  if (auto used = use_certificate(context, options.certificate, options.key); !used)
    return std::unexpected(used.error());
  if (!options.client_authority.empty()) {
    if (auto trusted = trust(context, options.client_authority); !trusted)
      return std::unexpected(trusted.error());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(made.release()));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const Client& options) {
  Context made(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = made.get();
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (options.verify) {
    if (options.authorities.empty()) {
      SSL_CTX_set_default_verify_paths(context);
    } else if (auto trusted = trust(context, options.authorities); !trusted) {
      return std::unexpected(trusted.error());
    }
  }
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!options.certificate.empty()) {
    if (auto used = use_certificate(context, options.certificate, options.key); !used)
      return std::unexpected(used.error());
  }
  auto context_made = std::shared_ptr<TlsContext>(new TlsContext(made.release()));
  context_made->verify_ = options.verify;
  return std::shared_ptr<const TlsContext>(std::move(context_made));
}

async::Task<Result<std::unique_ptr<Stream>>> tls_accept(std::shared_ptr<const TlsContext> context,
                                                        std::unique_ptr<Stream> stream, Instant deadline) {
  auto tls = std::make_unique<TlsStream>(std::move(context), std::move(stream));
  SSL_set_accept_state(tls->ssl());
  return handshake(std::move(tls), deadline, Fault::client);
}

async::Task<Result<std::unique_ptr<Stream>>> tls_connect(std::shared_ptr<const TlsContext> context,
                                                         std::unique_ptr<Stream> stream, std::string host,
                                                         Instant deadline) {
  const bool verify = context->verifies();
  auto tls = std::make_unique<TlsStream>(std::move(context), std::move(stream));
  SSL* ssl = tls->ssl();
  SSL_set_connect_state(ssl);
  if (IpAddress::parse(host)) {
    if (verify) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    if (verify) SSL_set1_host(ssl, host.c_str());
  }
  return handshake(std::move(tls), deadline, Fault::peer);
}

}  // namespace sluice::net
