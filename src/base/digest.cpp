// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <memory>

namespace sluice {
namespace {

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// A key that is locked with a password is none: nobody is there to be asked.
int no_password(char*, int, int, void*) { return -1; }

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
Key read_key(std::string_view pem) {
  BIO* text = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Key key(PEM_read_bio_PrivateKey(text, nullptr, no_password, nullptr), EVP_PKEY_free);
  BIO_free(text);
  ERR_clear_error();
  return key;
}

const EVP_MD* md_of(Digest algorithm) {
  switch (algorithm) {
    case Digest::sha1: return EVP_sha1();
    case Digest::sha256: return EVP_sha256();
    case Digest::sha384: return EVP_sha384();
    case Digest::sha512: return EVP_sha512();
  }
  return nullptr;
}

}  // namespace

std::string digest_of(Digest algorithm, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  SLUICE_CHECK(EVP_Digest(bytes.data(), bytes.size(), out, &size, md_of(algorithm), nullptr) == 1);
  return {reinterpret_cast<char*>(out), size};
}

std::string hmac_of(Digest algorithm, std::string_view key, std::string_view message) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const char none = 0;  // HMAC takes a null key for "as before"
  SLUICE_CHECK(HMAC(md_of(algorithm), key.empty() ? &none : key.data(), static_cast<int>(key.size()),
                    raw(message), message.size(), out, &size) != nullptr);
  return {reinterpret_cast<char*>(out), size};
}

Result<std::string> sign_rs256(std::string_view key, std::string_view bytes) {
  const Key read = read_key(key);
  if (read == nullptr || EVP_PKEY_base_id(read.get()) != EVP_PKEY_RSA)
    return fail(ErrorKind::protocol, "the private key is no RSA key in PEM, or is locked with a password");
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::size_t size = 0;
  std::string signature;
  bool good = EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, read.get()) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &size, raw(bytes), bytes.size()) == 1;
  if (good) {
    signature.resize(size);
    good = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                          raw(bytes), bytes.size()) == 1;
    signature.resize(size);
  }
  ERR_clear_error();
  if (!good) return fail(ErrorKind::system, "the private key cannot sign: is it of 2048 bits or more?");
  return signature;
}

}  // namespace sluice
