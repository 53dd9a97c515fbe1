// SPDX-License-Identifier: Apache-2.0
// OCSP stapling (RFC 6066 §8): what the issuer of a certificate says of it, shown to clients that ask for it
// in their handshake. Asking the issuer's responder is for others; here is what to ask, what an answer is
// worth, and until when it is shown. Shared by contexts and workers; everything that changes is locked.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "base/time.h"

struct x509_st;

namespace sluice::net {

class OcspStaple {
 public:
  struct Options {
    bool skip_verify = false;                       // shows whatever the responder says
    Duration cache_ttl = std::chrono::seconds(3600);  // how long an answer is shown
  };
  // For the first certificate in `chain` (PEM); its issuer has to stand behind it.
  static Result<std::shared_ptr<OcspStaple>> of(const std::string& chain, const Options& options);
  OcspStaple(const OcspStaple&) = delete;
  ~OcspStaple();

  bool is_for(const x509_st* certificate) const;
  const std::string& responder() const { return responder_; }  // an http URL
  const std::string& request() const { return request_; }      // DER

  // The answer to be shown (DER), or null.
  std::shared_ptr<const std::string> answer(Instant now) const;
  // Whether the responder is to be asked now; says so to one caller, who then calls `take` or `failed`.
  bool begin_asking(Instant now);
  // An answer. An error says why it is not shown; the responder is asked again some time later.
  Result<> take(const std::string& response, Instant now);
  void failed(Instant now);

 private:
  explicit OcspStaple(const Options& options) : options_(options) {}
  Result<Instant> check(const std::string& response, Instant now) const;

  Options options_;
  x509_st *certificate_ = nullptr, *issuer_ = nullptr;
  std::string responder_, request_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const std::string> answer_;
  Instant shown_until_{}, ask_again_{};
  bool asking_ = false;
};

}  // namespace sluice::net
