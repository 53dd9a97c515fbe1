// SPDX-License-Identifier: Apache-2.0
// JSON Web Tokens (RFC 7519) as compact signatures (RFC 7515 §7.1), and the keys that verify them. A key goes
// with one algorithm, which the token has to name: no token chooses how it is verified. Any thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/public_key.h"
#include "base/result.h"
#include "json/value.h"

namespace sluice::plugin {

struct Jwt {
  static constexpr std::size_t bytes_max = 16 * 1024;  // a longer token is refused

  json::Value header, payload;  // objects
  std::string_view signed_text;  // of the token that was parsed
  std::string signature;
};
Result<Jwt> parse_jwt(std::string_view token);

class JwtKey {
 public:
  // HS256 … EdDSA: those of RFC 7518 §3.1 and RFC 8037 but "none".
  static std::span<const std::string_view> algorithms();
  static bool is_symmetric(std::string_view algorithm) { return algorithm.starts_with("HS"); }

  JwtKey() = default;  // verifies nothing
  // `secret` is what HS algorithms share, any bytes; for the others a public key in PEM.
  static Result<JwtKey> make(std::string_view algorithm, std::string_view secret);
  static Result<JwtKey> make(std::string_view algorithm, PublicKey key);

  bool verifies(const Jwt& token) const;
  // Equal keys have equal ones in this process, others do not.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  std::string_view algorithm_;  // of algorithms()
  std::string secret_;
  PublicKey public_;
  std::uint64_t fingerprint_ = 0;
};

// The times a token tells, in seconds since 1970 (RFC 7519 §4.1).
struct JwtTimes {
  std::optional<double> expires, not_before;
  // False when a claim of that name is there and no number.
  static bool read(const json::Value& payload, JwtTimes& times);
  bool hold(double now, double leeway) const {
    return (!expires || *expires > now - leeway) && (!not_before || *not_before < now + leeway);
  }
};

}  // namespace sluice::plugin
