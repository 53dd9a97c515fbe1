// SPDX-License-Identifier: Apache-2.0
// OpenSSL's objects with owners that free them, and its errors as sentences. For the source files of this
// folder only; any thread.
#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace sluice::net {

template <auto function>
struct Free {
  void operator()(auto* object) const { function(object); }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Roots = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;

inline Bio memory_of(std::string_view pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// A key that is locked with a password is no key here: nobody is asked.
inline int no_password(char*, int, int, void*) { return 0; }

// What failed, with OpenSSL's last reason; its queue of errors is empty behind it.
inline std::string openssl_error(std::string_view what) {
  char text[256] = "unknown error";
  if (const auto code = ERR_peek_last_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return std::string(what) + ": " + text;
}

}  // namespace sluice::net
