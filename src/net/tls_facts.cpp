// SPDX-License-Identifier: Apache-2.0
#include "net/tls_facts.h"

#include <openssl/evp.h>

#include <array>
#include <ctime>

#include "net/openssl.h"

namespace sluice::net {
namespace {

std::string text_of(const Bio& bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

std::string hexadecimal(const unsigned char* bytes, std::size_t size, const char* digits) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}
constexpr const char* small_digits = "0123456789abcdef";

std::string name_text(const X509_NAME* name) {
  const Bio out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  return text_of(out);
}

std::string serial_text(X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  i2a_ASN1_INTEGER(out.get(), X509_get0_serialNumber(certificate));
  return text_of(out);
}

std::string fingerprint_text(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha1(), digest.data(), &size) != 1) return {};
  return hexadecimal(digest.data(), size, small_digits);
}

std::string pem_text(X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  return text_of(out);
}

std::string time_text(const ASN1_TIME* time) {
  const Bio out(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(out.get(), time);
  return text_of(out);
}

std::string days_text(const ASN1_TIME* until) {
  int days = 0, seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, until) != 1) return {};
  return std::to_string(std::max(days, 0));
}

}  // namespace

std::string_view TlsFacts::protocol() const { return SSL_get_version(ssl_); }

std::string_view TlsFacts::cipher() const {
  const char* name = SSL_get_cipher_name(ssl_);
  return name == nullptr ? std::string_view() : name;
}

std::string_view TlsFacts::application_protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool TlsFacts::resumed() const { return SSL_session_reused(ssl_) == 1; }

std::string TlsFacts::session_id() const {
  const SSL_SESSION* session = SSL_get0_session(ssl_);
  if (session == nullptr) return {};
  unsigned size = 0;
  const unsigned char* bytes = SSL_SESSION_get_id(session, &size);
  return hexadecimal(bytes, size, small_digits);
}

bool TlsFacts::client_verified() const {
  return SSL_get0_peer_certificate(ssl_) != nullptr && SSL_get_verify_result(ssl_) == X509_V_OK;
}

std::string TlsFacts::client_verify() const {
  if (SSL_get0_peer_certificate(ssl_) == nullptr) return "NONE";
  const long result = SSL_get_verify_result(ssl_);
  if (result == X509_V_OK) return "SUCCESS";
  return std::string("FAILED:") + X509_verify_cert_error_string(result);
}

std::string TlsFacts::client(Client what) const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return {};
  switch (what) {
    case Client::subject: return name_text(X509_get_subject_name(certificate));
    case Client::issuer: return name_text(X509_get_issuer_name(certificate));
    case Client::serial: return serial_text(certificate);
    case Client::fingerprint: return fingerprint_text(certificate);
    case Client::certificate: return pem_text(certificate);
    case Client::valid_from: return time_text(X509_get0_notBefore(certificate));
    case Client::valid_until: return time_text(X509_get0_notAfter(certificate));
    case Client::days_left: return days_text(X509_get0_notAfter(certificate));
  }
  return {};
}

}  // namespace sluice::net
