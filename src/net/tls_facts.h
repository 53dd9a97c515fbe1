// SPDX-License-Identifier: Apache-2.0
// What a TLS connection tells of itself, for variables and for rules about client certificates. It belongs to
// its stream, whose `tls()` gives it; texts are made when they are asked for.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "net/tls.h"

struct ssl_st;

namespace sluice::net {

class TlsFacts {
 public:
  explicit TlsFacts(ssl_st* ssl) : ssl_(ssl) {}

  // What the client asked for, as `Certificates::find` got it.
  std::string_view server_name() const { return server_name_; }
  // What serves it.
  const TlsContext& context() const { return *context_; }
  std::string_view protocol() const;              // "TLSv1.3"
  std::string_view cipher() const;                // "TLS_AES_256_GCM_SHA384"
  std::string_view application_protocol() const;  // "h2", "http/1.1"; "" when none was agreed on
  bool resumed() const;
  std::string session_id() const;  // hexadecimal; "" without one

  // Whether the client has shown a certificate that was accepted.
  bool client_verified() const;
  std::string client_verify() const;  // nginx's words: "NONE", "SUCCESS", "FAILED:certificate has expired"
  enum class Client : std::uint8_t {
    subject,       // RFC 2253
    issuer,
    serial,        // hexadecimal
    fingerprint,   // SHA-1, hexadecimal
    certificate,   // PEM
    valid_from,    // "Nov 25 11:00:00 2026 GMT"
    valid_until,
    days_left,
  };
  std::string client(Client what) const;  // "" without a certificate

  void choose(std::string_view server_name, const TlsContext& context) {
    server_name_ = server_name;
    context_ = &context;
  }

 private:
  ssl_st* ssl_;
  std::string server_name_;
  const TlsContext* context_ = nullptr;
};

}  // namespace sluice::net
