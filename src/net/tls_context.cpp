// SPDX-License-Identifier: Apache-2.0
// Contexts: certificates, keys and whom to trust, read from PEM.
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "net/openssl.h"
#include "net/tls.h"
#include "net/tls_stream.h"

namespace sluice::net {
namespace {

Result<> use_pair(SSL_CTX* context, const std::string& chain, const std::string& key_text) {
  const Bio bio = memory_of(chain);
  const Certificate leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, nullptr));
  if (!leaf) return fail(ErrorKind::tls, openssl_error("the certificate is no PEM certificate"));
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return fail(ErrorKind::tls, openssl_error("certificate"));
  SSL_CTX_clear_chain_certs(context);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      return fail(ErrorKind::tls, openssl_error("certificate chain"));
    }
  }
  ERR_clear_error();  // the end of the PEM text
  const Bio key_bio = memory_of(key_text);
  const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_password, nullptr));
  if (!key) return fail(ErrorKind::tls, openssl_error("the key is no PEM private key"));
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return fail(ErrorKind::tls, openssl_error("the private key does not belong to the certificate"));
  return {};
}

int version_of(const std::string& name) {
  if (name == "TLSv1.1") return TLS1_1_VERSION;
  if (name == "TLSv1.2") return TLS1_2_VERSION;
  if (name == "TLSv1.3") return TLS1_3_VERSION;
  return 0;
}

// Whose certificates count, as text that two contexts share when they are the same.
std::string domain_of(const TlsContext::Server& options) {
  const std::string text = options.client_authority + "\n" + std::to_string(options.client_depth);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

Result<> ask_for_client_certificate(SSL_CTX* context, const TlsContext::Server& options) {
  auto trusted = TrustStore::of(options.client_authority);
  if (!trusted) return std::unexpected(trusted.error());
  SSL_CTX_set1_cert_store(context, (*trusted)->raw());
  const Bio bio = memory_of(options.client_authority);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
    const Certificate authority(next);
    SSL_CTX_add_client_CA(context, next);
  }
  ERR_clear_error();
  return {};
}

// What of `context` holds for a handshake is told to `ssl` (tls_stream.h); a context that serves alone tells
// it to every connection here.
void serve_alone(SSL_CTX* raw, const TlsContext& context) {
  SSL_CTX_set_min_proto_version(raw, context.version_min());
  SSL_CTX_set_max_proto_version(raw, context.version_max());
  if (context.client_domain().empty()) return;
  SSL_CTX_set_verify(raw, verify_mode_of(context), verify_callback_of(context));
  SSL_CTX_set_verify_depth(raw, context.client_depth());
}

// RFC 7301 §3.2: a client that speaks none of these is told so.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void* ours) {
  const auto& list = *static_cast<const std::string_view*>(ours);
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size,
                                          reinterpret_cast<const unsigned char*>(list.data()),
                                          static_cast<unsigned>(list.size()), offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void offer_protocols(SSL_CTX* context, bool http2) {
  static constexpr std::string_view all = "\x02h2\x08http/1.1\x08http/1.0";
  static constexpr std::string_view without_http2 = all.substr(3);
  const std::string_view& ours = http2 ? all : without_http2;
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, const_cast<std::string_view*>(&ours));
}

// OpenSSL's callback: the client wants to see what the issuer says of the certificate that it is shown.
int staple(SSL* ssl, void* serving) {
  const auto& context = *static_cast<const TlsContext*>(serving);
  auto& stream = TlsStream::of(ssl);
  for (const auto& one : context.staples()) {
    if (!one->is_for(SSL_get_certificate(ssl))) continue;
    stream.refresh(one);
    const auto answer = one->answer(stream.loop().now());
    if (answer == nullptr) break;
    void* copy = OPENSSL_memdup(answer->data(), answer->size());  // OpenSSL frees it
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(answer->size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

TrustStore::~TrustStore() { X509_STORE_free(store_); }

std::shared_ptr<const TrustStore> TrustStore::system() {
  static const auto shared = [] {
    X509_STORE* store = X509_STORE_new();
    X509_STORE_set_default_paths(store);
    ERR_clear_error();
    return std::make_shared<const TrustStore>(store);
  }();
  return shared;
}

Result<std::shared_ptr<const TrustStore>> TrustStore::of(const std::string& pem) {
  Roots store(X509_STORE_new());
  const Bio bio = memory_of(pem);
  int count = 0;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
    const Certificate authority(next);
    X509_STORE_add_cert(store.get(), next);
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return fail(ErrorKind::tls, "the trusted certificates hold no PEM certificate");
  return std::make_shared<const TrustStore>(store.release());
}

Result<TlsVersions> tls_versions(const std::vector<std::string>& names) {
  if (names.empty()) return TlsVersions{TLS1_2_VERSION, TLS1_3_VERSION};
  TlsVersions versions{TLS1_3_VERSION, TLS1_1_VERSION};
  for (const auto& name : names) {
    const int version = version_of(name);
    if (version == 0) return fail(ErrorKind::tls, "'" + name + "' is none of TLSv1.1, TLSv1.2, TLSv1.3");
    versions.least = std::min(versions.least, version);
    versions.most = std::max(versions.most, version);
  }
  return versions;
}

Result<> set_ciphers(SSL_CTX* context, std::string_view list) {
  std::string suites, older;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(": ,"), list.size());
    if (const std::string name(list.substr(0, end)); !name.empty()) {
      const bool is_suite = name.starts_with("TLS_");
      // Alone, for OpenSSL passes over a name it does not know beside others.
      if (is_suite && SSL_CTX_set_ciphersuites(context, name.c_str()) != 1)
        return fail(ErrorKind::tls, openssl_error("'" + name + "' is no suite of TLS 1.3"));
      std::string& into = is_suite ? suites : older;
      into.append(into.empty() ? "" : ":").append(name);
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  if (suites.empty()) suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
  if (SSL_CTX_set_ciphersuites(context, suites.c_str()) != 1)
    return fail(ErrorKind::tls, openssl_error("suites of TLS 1.3 '" + suites + "'"));
  if (!older.empty() && SSL_CTX_set_cipher_list(context, older.c_str()) != 1)
    return fail(ErrorKind::tls, openssl_error("cipher list '" + older + "'"));
  return {};
}

void set_modes(SSL_CTX* context) {
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(context, 1);  // a record's head and body in one read
}

void set_server_options(SSL_CTX* context) {
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                          SSL_OP_PRIORITIZE_CHACHA);  // for a client that names it first: it has no AES
  SSL_CTX_set_num_tickets(context, 1);  // one is enough to come back with, and each costs bytes and work
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const Server& options) {
  Context made(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* raw = made.get();
  set_server_options(raw);
  set_modes(raw);
  auto context = std::shared_ptr<TlsContext>(new TlsContext(made.release()));
  const auto versions = tls_versions(options.protocols);
  if (!versions) return std::unexpected(versions.error());
  context->version_min_ = versions->least;
  context->version_max_ = versions->most;
  if (auto set = set_ciphers(raw, options.ciphers); !set) return std::unexpected(set.error());
  // The first pair is set last: it is the one that stays where a further pair is of the same algorithm.
  for (const auto& [certificate, key] : options.further) {
    if (auto used = use_pair(raw, certificate, key); !used) return std::unexpected(used.error());
  }
  if (auto used = use_pair(raw, options.certificate, options.key); !used)
    return std::unexpected(used.error());
  std::string domain = "no client certificate";
  if (!options.client_authority.empty()) {
    if (auto asked = ask_for_client_certificate(raw, options); !asked)
      return std::unexpected(asked.error());
    context->client_ = options.client;
    context->client_depth_ = options.client_depth;
    context->client_domain_ = domain = domain_of(options);
  }
  // Only where the same clients are known the same way a session may be resumed.
  SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(domain.data()),
                                 static_cast<unsigned>(domain.size()));
  serve_alone(raw, *context);
  offer_protocols(raw, options.http2);
  context->staples_ = options.staples;
  if (!options.staples.empty()) {
    SSL_CTX_set_tlsext_status_cb(raw, staple);
    SSL_CTX_set_tlsext_status_arg(raw, context.get());
  }
  return std::shared_ptr<const TlsContext>(std::move(context));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const Client& options) {
  Context made(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* raw = made.get();
  set_modes(raw);
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(raw, keep_session);
  if (options.verify) {
    auto roots = options.roots != nullptr ? options.roots : TrustStore::system();
    if (!options.authorities.empty()) {
      auto trusted = TrustStore::of(options.authorities);
      if (!trusted) return std::unexpected(trusted.error());
      roots = std::move(*trusted);
    }
    SSL_CTX_set1_cert_store(raw, roots->raw());
    if (options.pinned) X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(raw), X509_V_FLAG_PARTIAL_CHAIN);
  }
  SSL_CTX_set_verify(raw, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!options.certificate.empty()) {
    if (auto used = use_pair(raw, options.certificate, options.key); !used)
      return std::unexpected(used.error());
  }
  static constexpr unsigned char h2[] = {2, 'h', '2'};
  if (options.http2) SSL_CTX_set_alpn_protos(raw, h2, sizeof h2);
  auto context = std::shared_ptr<TlsContext>(new TlsContext(made.release()));
  context->verify_ = options.verify;
  return std::shared_ptr<const TlsContext>(std::move(context));
}

}  // namespace sluice::net
