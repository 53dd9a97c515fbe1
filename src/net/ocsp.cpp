// SPDX-License-Identifier: Apache-2.0
#include "net/ocsp.h"

#include <openssl/ocsp.h>

#include <algorithm>

#include "net/openssl.h"

namespace sluice::net {
namespace {

constexpr Duration after_failure = std::chrono::seconds(10);
constexpr long clock_skew_seconds = 300;

using Response = std::unique_ptr<OCSP_RESPONSE, Free<OCSP_RESPONSE_free>>;
using Basic = std::unique_ptr<OCSP_BASICRESP, Free<OCSP_BASICRESP_free>>;
using Request = std::unique_ptr<OCSP_REQUEST, Free<OCSP_REQUEST_free>>;
using CertificateId = std::unique_ptr<OCSP_CERTID, Free<OCSP_CERTID_free>>;

std::string responder_of(X509* certificate) {
  STACK_OF(OPENSSL_STRING)* urls = X509_get1_ocsp(certificate);
  std::string url =
      urls != nullptr && sk_OPENSSL_STRING_num(urls) > 0 ? sk_OPENSSL_STRING_value(urls, 0) : "";
  X509_email_free(urls);
  return url;
}

std::string request_for(X509* certificate, X509* issuer) {
  const Request request(OCSP_REQUEST_new());
  // The request owns the id.
  OCSP_request_add0_id(request.get(), OCSP_cert_to_id(nullptr, certificate, issuer));
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_REQUEST(request.get(), &bytes);
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(std::max(size, 0)));
  OPENSSL_free(bytes);
  return der;
}

}  // namespace

Result<std::shared_ptr<OcspStaple>> OcspStaple::of(const std::string& chain, const Options& options) {
  auto made = std::shared_ptr<OcspStaple>(new OcspStaple(options));
  const Bio bio = memory_of(chain);
  made->certificate_ = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr);
  while (made->certificate_ != nullptr && made->issuer_ == nullptr) {
    Certificate next(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr));
    if (next == nullptr) break;
    if (X509_check_issued(next.get(), made->certificate_) == X509_V_OK) made->issuer_ = next.release();
  }
  ERR_clear_error();
  if (made->certificate_ == nullptr) return fail(ErrorKind::tls, "there is no certificate");
  made->responder_ = responder_of(made->certificate_);
  if (made->responder_.empty())
    return fail(ErrorKind::tls, "failed to get ocsp url: the certificate names no responder");
  if (made->issuer_ == nullptr)
    return fail(ErrorKind::tls, "failed to create ocsp request: issuer certificate not found in chain");
  made->request_ = request_for(made->certificate_, made->issuer_);
  return made;
}

OcspStaple::~OcspStaple() {
  X509_free(certificate_);
  X509_free(issuer_);
}

bool OcspStaple::is_for(const x509_st* certificate) const {
  return certificate != nullptr && X509_cmp(certificate_, certificate) == 0;
}

std::shared_ptr<const std::string> OcspStaple::answer(Instant now) const {
  std::lock_guard lock(mutex_);
  return now < shown_until_ ? answer_ : nullptr;
}

bool OcspStaple::begin_asking(Instant now) {
  std::lock_guard lock(mutex_);
  if (asking_ || now < ask_again_) return false;
  return asking_ = true;
}

void OcspStaple::failed(Instant now) {
  std::lock_guard lock(mutex_);
  asking_ = false;
  ask_again_ = after(now, after_failure);
}

// An answer is fetched anew when half of its time is over, so that clients never miss one.
Result<> OcspStaple::take(const std::string& response, Instant now) {
  auto until = check(response, now);
  if (!until) {
    failed(now);
    return std::unexpected(until.error());
  }
  std::lock_guard lock(mutex_);
  asking_ = false;
  answer_ = std::make_shared<const std::string>(response);
  shown_until_ = *until;
  ask_again_ = now + (*until - now) / 2;
  return {};
}

// Until when an answer holds: it is the issuer's, or of somebody the issuer has named for it, and says that
// the certificate is good.
Result<Instant> OcspStaple::check(const std::string& response, Instant now) const {
  const auto bad = [](std::string what) {
    ERR_clear_error();
    return fail(ErrorKind::tls, "failed to validate ocsp response: " + std::move(what), Fault::peer);
  };
  const auto* bytes = reinterpret_cast<const unsigned char*>(response.data());
  const Response whole(d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(response.size())));
  if (whole == nullptr) return bad("it cannot be read");
  const Instant latest = after(now, options_.cache_ttl);
  if (options_.skip_verify) return latest;
  if (const int status = OCSP_response_status(whole.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return bad(std::string("the responder answers ") + OCSP_response_status_str(status));
  const Basic basic(OCSP_response_get1_basic(whole.get()));
  if (basic == nullptr) return bad("it is of a kind that nobody knows");
  const Roots trusted(X509_STORE_new());
  X509_STORE_add_cert(trusted.get(), issuer_);
  X509_STORE_set_flags(trusted.get(), X509_V_FLAG_PARTIAL_CHAIN);
  if (OCSP_basic_verify(basic.get(), nullptr, trusted.get(), 0) != 1)
    return bad(openssl_error("it is not signed by the issuer"));
  const CertificateId id(OCSP_cert_to_id(nullptr, certificate_, issuer_));
  int status = 0;
  ASN1_GENERALIZEDTIME *since = nullptr, *next = nullptr;
  if (OCSP_resp_find_status(basic.get(), id.get(), &status, nullptr, nullptr, &since, &next) != 1)
    return bad("it is about another certificate");
  if (status != V_OCSP_CERTSTATUS_GOOD)
    return bad(std::string("certificate status \"") + OCSP_cert_status_str(status) + "\"");
  if (OCSP_check_validity(since, next, clock_skew_seconds, -1) != 1) return bad("it is out of date");
  int days = 0, seconds = 0;
  if (next == nullptr || ASN1_TIME_diff(&days, &seconds, nullptr, next) != 1) return latest;
  return std::min(latest, after(now, std::chrono::hours(24) * days + std::chrono::seconds(seconds)));
}

}  // namespace sluice::net
