// SPDX-License-Identifier: Apache-2.0
#include "net/certificate.h"

#include <ctime>

#include "net/openssl.h"

namespace sluice::net {
namespace {

Certificate read_certificate(const std::string& pem) {
  const Bio bio = memory_of(pem);
  return Certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, nullptr));
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

std::string subject_of(X509* certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  const Names all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.emplace_back(text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  char common[256];
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common,
                                             sizeof common);
  if (!all && size > 0) names.emplace_back(common, static_cast<std::size_t>(size));
  return names;
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

Result<CertificateFacts> certificate_facts(const std::string& certificate) {
  const Certificate leaf = read_certificate(certificate);
  ERR_clear_error();
  if (!leaf) return fail(ErrorKind::tls, "it is no certificate in PEM");
  return CertificateFacts{subject_of(leaf.get()), names_of(leaf.get()),
                          seconds_of(X509_get0_notBefore(leaf.get())),
                          seconds_of(X509_get0_notAfter(leaf.get()))};
}

}  // namespace sluice::net
