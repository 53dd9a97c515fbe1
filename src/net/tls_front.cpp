// SPDX-License-Identifier: Apache-2.0
#include "net/tls_front.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "net/tls_stream.h"

namespace sluice::net {
namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr long sessions_kept_max = 20'480;
constexpr long session_seconds = 600;

// The name in a server_name extension (RFC 6066 §3), in lower case; "" when there is none, nothing when it
// makes no sense.
std::optional<std::string> asked_name(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1) return std::string();
  const auto number = [&bytes](std::size_t at) -> std::size_t { return bytes[at] * 256u + bytes[at + 1]; };
  if (size < 5 || number(0) + 2 != size || bytes[2] != TLSEXT_NAMETYPE_host_name || number(3) + 5 > size)
    return std::nullopt;
  std::string_view name(reinterpret_cast<const char*>(bytes) + 5, number(3));
  if (name.ends_with('.')) name.remove_suffix(1);
  const bool readable = std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
  if (name.empty() || name.size() > name_bytes_max || !readable) return std::nullopt;
  return lowered(name);
}

int on_client_hello(SSL* ssl, int* alert, void*) {
  const auto name = asked_name(ssl);
  *alert = name ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_DECODE_ERROR;
  return name && TlsStream::of(ssl).choose(*name) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

bool set_digest(EVP_MAC_CTX* mac, TicketKeys::Key& key) {
  char sha256[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.digest.data(), key.digest.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

// What SSL_CTX_set_tlsext_ticket_key_evp_cb wants: 0 no such key, 1 done, 2 done and to be replaced.
int use_ticket_key(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                   EVP_MAC_CTX* mac, int encrypts) {
  auto& keys = *static_cast<TicketKeys*>(SSL_CTX_get_app_data(TlsStream::of(ssl).front().raw()));
  if (encrypts == 1) {
    auto key = keys.current();
    if (!key || RAND_bytes(vector, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    std::ranges::copy(key->name, name);
    const bool set = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), vector) == 1;
    return set && set_digest(mac, *key) ? 1 : -1;
  }
  auto found = keys.find(name);
  if (!found) return 0;
  const bool set =
      EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, found->key.cipher.data(), vector) == 1;
  if (!set || !set_digest(mac, found->key)) return -1;
  return found->current ? 1 : 2;
}

}  // namespace

TlsFront::TlsFront(ssl_ctx_st* context, const Clock& clock) : context_(context), keys_(clock) {
  SSL_CTX_set_app_data(context_, &keys_);
}

TlsFront::~TlsFront() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsFront>> TlsFront::make(const Options& options) {
  const auto versions = tls_versions(options.protocols);
  if (!versions) return std::unexpected(versions.error());
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  auto made = std::shared_ptr<TlsFront>(new TlsFront(context, options.clock));
  set_server_options(context);
  set_modes(context);
  SSL_CTX_set_min_proto_version(context, versions->least);
  SSL_CTX_set_max_proto_version(context, versions->most);
  if (auto set = set_ciphers(context, options.ciphers); !set) return std::unexpected(set.error());
  SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
  SSL_CTX_set_timeout(context, session_seconds);
  if (options.tickets) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_ticket_key);
  } else {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    // What is over is found out where it is asked for, and gives way to what is new: a look through all that
    // is kept, every 255 handshakes, is not needed.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_AUTO_CLEAR);
    SSL_CTX_sess_set_cache_size(context, sessions_kept_max);
  }
  return std::shared_ptr<const TlsFront>(std::move(made));
}

}  // namespace sluice::net
