// SPDX-License-Identifier: Apache-2.0
#include "net/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace sluice::net {
namespace {

template <auto function>
struct Free {
  void operator()(auto* object) const { function(object); }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

Bio memory_of(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// A key that is locked with a password is no key here: nobody is asked.
int no_password(char*, int, int, void*) { return 0; }

Certificate read_certificate(const std::string& pem) {
  const Bio bio = memory_of(pem);
  return Certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, nullptr));
}

}  // namespace

PemFault check_certificate(const std::string& certificate) {
  const bool good = read_certificate(certificate) != nullptr;
  ERR_clear_error();
  return good ? PemFault::none : PemFault::certificate;
}

PemFault check_pair(const std::string& certificate, const std::string& key) {
  const Certificate leaf = read_certificate(certificate);
  const Bio bio = memory_of(key);
  const Key made(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  const bool fits = leaf && made && X509_check_private_key(leaf.get(), made.get()) == 1;
  ERR_clear_error();
  if (!leaf) return PemFault::certificate;
  if (!made) return PemFault::key;
  return fits ? PemFault::none : PemFault::pair;
}

}  // namespace sluice::net
