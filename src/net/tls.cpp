// SPDX-License-Identifier: Apache-2.0
// The stream: records in and out, and the handshake before them.
#include "net/tls.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/address.h"
#include "net/tls_stream.h"

namespace sluice::net {
namespace {

constexpr std::size_t record_max = 16 * 1024;

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

// Takes any certificate on: whether it was good is looked at later, in TlsFacts.
int note_only(int, X509_STORE_CTX*) { return 1; }

}  // namespace

int verify_mode_of(const TlsContext& context) {
  if (context.client_domain().empty()) return SSL_VERIFY_NONE;
  const bool required = context.client_certificate() == TlsContext::ClientCertificate::required;
  return required ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER;
}

VerifyCallback verify_callback_of(const TlsContext& context) {
  return context.client_certificate() == TlsContext::ClientCertificate::asked ? note_only : nullptr;
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  const TlsResumption& resumption = TlsStream::of(ssl).resumption();
  if (resumption.sessions == nullptr) return 0;
  resumption.sessions->keep(resumption.key, session);
  return 1;
}

TlsStream::TlsStream(SSL_CTX* made_of, std::shared_ptr<const TlsContext> context,
                     std::unique_ptr<Stream> below)
    : Stream(below->loop()),
      context_(std::move(context)),
      below_(std::move(below)),
      ssl_(SSL_new(made_of)),
      facts_(ssl_) {
  SLUICE_CHECK(ssl_ != nullptr);
  SSL_set_app_data(ssl_, this);
  BIO* bio = BIO_new(stream_bio());
  BIO_set_data(bio, below_.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  if (context_ != nullptr) facts_.choose({}, *context_);
}

TlsStream::~TlsStream() {
  if (handshake_done_) SSL_shutdown(ssl_);  // sends close_notify if the socket takes it
  SSL_free(ssl_);
  ERR_clear_error();
}

void TlsStream::handshake_done() {
  handshake_done_ = true;
  certificates_ = nullptr;
  below_->set_owner(this);
}

bool TlsStream::choose(std::string_view server_name) {
  context_ = certificates_->find(server_name);
  if (context_ == nullptr) return false;
  facts_.choose(server_name, *context_);
  SSL_set_SSL_CTX(ssl_, context_->raw());
  SSL_set_min_proto_version(ssl_, context_->version_min());
  SSL_set_max_proto_version(ssl_, context_->version_max());
  if (context_->client_domain().empty()) return true;
  SSL_set_verify(ssl_, verify_mode_of(*context_), verify_callback_of(*context_));
  SSL_set_verify_depth(ssl_, context_->client_depth());
  return true;
}

void Certificates::ask_responder(std::shared_ptr<OcspStaple>) {}

void TlsStream::refresh(const std::shared_ptr<OcspStaple>& staple) {
  if (certificates_ != nullptr && staple->begin_asking(loop().now())) certificates_->ask_responder(staple);
}

void TlsStream::resume_with(TlsResumption resumption) {
  resumption_ = std::move(resumption);
  if (resumption_.sessions == nullptr) return;
  if (auto* session = resumption_.sessions->find(resumption_.key)) SSL_set_session(ssl_, session);
}

ssize_t TlsStream::try_read(char* into, std::size_t size) {
  ERR_clear_error();
  std::size_t count = 0;
  starved_ = false;
  if (SSL_read_ex(ssl_, into, size, &count) == 1) return static_cast<ssize_t>(count);
  switch (SSL_get_error(ssl_, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      starved_ = true;
      return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      return 0;
    default:
      broken_ = true;
      return -ECONNRESET;
  }
}

bool TlsStream::maybe_readable() const {
  return ended_ || broken_ || below_->maybe_readable() || (!starved_ && SSL_has_pending(ssl_) == 1);
}

ssize_t TlsStream::write_record(const void* bytes, std::size_t size) {
  std::size_t written = 0;
  if (SSL_write_ex(ssl_, bytes, size, &written) == 1) return static_cast<ssize_t>(written);
  const int error = SSL_get_error(ssl_, 0);
  if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) return -EAGAIN;
  broken_ = true;
  return -EPIPE;
}

// Small pieces, as a head and its body, go into one record. What the socket refused is tried again with the
// same bytes from the same place on, as OpenSSL wants it: how pieces are joined depends on them alone.
ssize_t TlsStream::try_write(const iovec* pieces, int count) {
  thread_local std::array<char, record_max> scratch;
  ERR_clear_error();
  ssize_t total = 0;
  std::size_t offset = 0;  // into the first of the pieces that are left
  while (count > 0) {
    const char* bytes = static_cast<const char*>(pieces->iov_base) + offset;
    std::size_t size = pieces->iov_len - offset;
    if (size < record_max && count > 1) {
      std::size_t joined = 0;
      for (int i = 0; i < count && joined < record_max; ++i) {
        const std::size_t from = i == 0 ? offset : 0;
        const std::size_t part = std::min(pieces[i].iov_len - from, record_max - joined);
        std::memcpy(scratch.data() + joined, static_cast<const char*>(pieces[i].iov_base) + from, part);
        joined += part;
      }
      bytes = scratch.data();
      size = joined;
    }
    if (size == 0) break;
    const ssize_t written = write_record(bytes, size);
    if (written < 0) return total > 0 ? total : written;
    total += written;
    offset += static_cast<std::size_t>(written);
    while (count > 0 && offset >= pieces->iov_len) {
      offset -= pieces->iov_len;
      ++pieces;
      --count;
    }
  }
  return total;
}

async::Task<Result<std::unique_ptr<Stream>>> tls_accept(std::shared_ptr<const TlsContext> context,
                                                        std::unique_ptr<Stream> stream, Instant deadline) {
  SSL_CTX* raw = context->raw();
  auto tls = std::make_unique<TlsStream>(raw, std::move(context), std::move(stream));
  SSL_set_accept_state(tls->ssl());
  return handshake(std::move(tls), deadline, Fault::client);
}

async::Task<Result<std::unique_ptr<Stream>>> tls_accept(std::shared_ptr<const TlsFront> front,
                                                        Certificates& certificates,
                                                        std::unique_ptr<Stream> stream, Instant deadline) {
  auto tls = std::make_unique<TlsStream>(front->raw(), nullptr, std::move(stream));
  tls->ask(certificates, std::move(front));
  SSL_set_accept_state(tls->ssl());
  return handshake(std::move(tls), deadline, Fault::client);
}

async::Task<Result<std::unique_ptr<Stream>>> tls_connect(std::shared_ptr<const TlsContext> context,
                                                         std::unique_ptr<Stream> stream, std::string host,
                                                         Instant deadline, TlsResumption resumption) {
  const bool verify = context->verifies();
  SSL_CTX* raw = context->raw();
  auto tls = std::make_unique<TlsStream>(raw, std::move(context), std::move(stream));
  SSL* ssl = tls->ssl();
  SSL_set_connect_state(ssl);
  tls->resume_with(std::move(resumption));
  if (IpAddress::parse(host)) {
    if (verify) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    if (verify) SSL_set1_host(ssl, host.c_str());
  }
  return handshake(std::move(tls), deadline, Fault::peer);
}

}  // namespace sluice::net
