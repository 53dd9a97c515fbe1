// SPDX-License-Identifier: Apache-2.0
#include "base/private_key.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

namespace sluice {
namespace {

// A key that is locked with a password is none: nobody is there to be asked.
int no_password(char*, int, int, void*) { return -1; }

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
Key read_key(std::string_view pem) {
  BIO* text = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Key key(PEM_read_bio_PrivateKey(text, nullptr, no_password, nullptr), EVP_PKEY_free);
  BIO_free(text);
  return key;
}

const EVP_MD* md_of(PublicKey::Scheme scheme, Digest digest) {
  if (scheme == PublicKey::Scheme::eddsa) return nullptr;
  switch (digest) {
    case Digest::sha1: return EVP_sha1();
    case Digest::sha256: return EVP_sha256();
    case Digest::sha384: return EVP_sha384();
    case Digest::sha512: return EVP_sha512();
  }
  return nullptr;
}

// r and s, each as wide as the curve.
std::string raw_signature(const std::string& der, int bits) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* parts = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  if (parts == nullptr) return {};
  const int width = (bits + 7) / 8;
  std::string raw(static_cast<std::size_t>(2 * width), '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  const bool good = BN_bn2binpad(ECDSA_SIG_get0_r(parts), out, width) == width &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(parts), out + width, width) == width;
  ECDSA_SIG_free(parts);
  return good ? raw : std::string();
}

}  // namespace

Result<std::string> sign_with(std::string_view pem, PublicKey::Scheme scheme, Digest digest,
                              std::string_view bytes) {
  const Key key = read_key(pem);
  ERR_clear_error();
  if (key == nullptr)
    return fail(ErrorKind::protocol, "the private key is none in PEM, or is locked with a password");
  const auto known = PublicKey::from_pem(pem);
  if (!known || !known->suits(scheme, digest))
    return fail(ErrorKind::protocol, "the private key is of another kind than the algorithm");
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  EVP_PKEY_CTX* options = nullptr;
  std::size_t size = 0;
  std::string signature;
  bool good =
      EVP_DigestSignInit(context.get(), &options, md_of(scheme, digest), nullptr, key.get()) == 1;
  if (good && scheme == PublicKey::Scheme::rsa_pss)
    good = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  good = good && EVP_DigestSign(context.get(), nullptr, &size, data, bytes.size()) == 1;
  if (good) {
    signature.resize(size);
    good = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data,
                          bytes.size()) == 1;
    signature.resize(size);
  }
  if (good && scheme == PublicKey::Scheme::ecdsa)
    signature = raw_signature(signature, EVP_PKEY_get_bits(key.get()));
  ERR_clear_error();
  if (!good || signature.empty()) return fail(ErrorKind::system, "the private key cannot sign");
  return signature;
}

}  // namespace sluice
