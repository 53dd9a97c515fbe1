// SPDX-License-Identifier: Apache-2.0
#include "base/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <string>

namespace sluice {
namespace {

template <class T, void (*release)(T*)>
struct Release {
  void operator()(T* object) const { release(object); }
};
using Pkey = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY, EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX, EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Release<BIGNUM, BN_free>>;
using Certificate = std::unique_ptr<X509, Release<X509, X509_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM, OSSL_PARAM_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Release<ECDSA_SIG, ECDSA_SIG_free>>;
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Text = std::unique_ptr<BIO, FreeBio>;

Text text_of(std::string_view pem) { return Text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }
const unsigned char* data_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(data_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

// What is locked with a password is no key: nobody is there to be asked.
int no_password(char*, int, int, void*) { return -1; }

Pkey read_pem(std::string_view pem) {
  if (Pkey key(PEM_read_bio_PUBKEY(text_of(pem).get(), nullptr, no_password, nullptr)); key) return key;
  if (Certificate certificate(PEM_read_bio_X509(text_of(pem).get(), nullptr, no_password, nullptr));
      certificate)
    return Pkey(X509_get_pubkey(certificate.get()));
  EVP_PKEY* key = nullptr;  // "BEGIN RSA PUBLIC KEY"
  const unsigned char* der = nullptr;
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(text_of(pem).get(), &name, &header, &data, &size) == 1) {
    der = data;
    if (std::string_view(name) == "RSA PUBLIC KEY") key = d2i_PublicKey(EVP_PKEY_RSA, nullptr, &der, size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  if (key != nullptr) return Pkey(key);
  return Pkey(PEM_read_bio_PrivateKey(text_of(pem).get(), nullptr, no_password, nullptr));
}

Pkey from_parameters(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get());
  return Pkey(key);
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

int bits_of_curve(Digest digest) {
  switch (digest) {
    case Digest::sha256: return 256;
    case Digest::sha384: return 384;
    default: return 521;
  }
}

// r and s side by side become the DER that OpenSSL wants; empty when they are not as wide as the curve.
std::string der_of(std::string_view raw, int bits) {
  const auto width = static_cast<std::size_t>((bits + 7) / 8);
  if (raw.size() != 2 * width) return {};
  const Signature signature(ECDSA_SIG_new());
  if (!signature) return {};
  if (ECDSA_SIG_set0(signature.get(), number_of(raw.substr(0, width)).release(),
                     number_of(raw.substr(width)).release()) != 1)
    return {};
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct PublicKey::Key {
  Pkey pkey;
  static Result<PublicKey> made(Pkey pkey, std::string_view what) {
    ERR_clear_error();
    if (!pkey) return fail(ErrorKind::protocol, std::string(what));
    return PublicKey(std::make_shared<const Key>(Key{std::move(pkey)}));
  }
};

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  return Key::made(read_pem(pem), "is no public key or certificate in PEM");
}

Result<PublicKey> PublicKey::rsa(std::string_view modulus, std::string_view exponent) {
  constexpr std::size_t modulus_bytes_max = 2048;
  const Number n = number_of(modulus), e = number_of(exponent);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (modulus.size() > modulus_bytes_max || exponent.size() > sizeof(std::uint64_t) || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return Key::made(nullptr, "is no RSA key");
  return Key::made(from_parameters("RSA", builder.get()), "is no RSA key");
}

Result<PublicKey> PublicKey::ec(std::string_view curve, std::string_view x, std::string_view y) {
  const std::string name(curve), point = "\x04" + std::string(x) + std::string(y);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, name.c_str(), 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) !=
          1)
    return Key::made(nullptr, "is no point of that curve");
  return Key::made(from_parameters("EC", builder.get()), "is no point of that curve");
}

Result<PublicKey> PublicKey::ed25519(std::string_view x) {
  return Key::made(Pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, data_of(x), x.size())),
                   "is no key of Ed25519");
}

bool PublicKey::suits(Scheme scheme, Digest digest) const {
  if (key_ == nullptr) return false;
  const EVP_PKEY* key = key_->pkey.get();
  switch (scheme) {
    case Scheme::rsa_pkcs1: return EVP_PKEY_is_a(key, "RSA") == 1;
    case Scheme::rsa_pss: return EVP_PKEY_is_a(key, "RSA") == 1 || EVP_PKEY_is_a(key, "RSA-PSS") == 1;
    case Scheme::ecdsa:
      return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_bits(key) == bits_of_curve(digest);
    case Scheme::eddsa: return EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1;
  }
  return false;
}

bool PublicKey::verifies(Scheme scheme, Digest digest, std::string_view message,
                         std::string_view signature) const {
  if (!suits(scheme, digest)) return false;
  std::string der;
  if (scheme == Scheme::ecdsa) {
    der = der_of(signature, bits_of_curve(digest));
    if (der.empty()) return false;
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // the context's own
  bool good = context && EVP_DigestVerifyInit(context.get(), &options, md_of(scheme, digest), nullptr,
                                              key_->pkey.get()) == 1;
  if (good && scheme == Scheme::rsa_pss) {
    good = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  good = good && EVP_DigestVerify(context.get(), data_of(signature), signature.size(), data_of(message),
                                  message.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace sluice
