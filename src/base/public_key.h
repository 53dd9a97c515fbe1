// SPDX-License-Identifier: Apache-2.0
// Public keys, and the signatures of JSON Web Signatures (RFC 7518 §3, RFC 8037) verified by them. Immutable,
// shared by copies, any thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/digest.h"
#include "base/result.h"

namespace sluice {

class PublicKey {
 public:
  enum class Scheme : std::uint8_t {
    rsa_pkcs1,
    rsa_pss,  // salt as long as the digest
    ecdsa,    // signature: r and s, each as wide as the curve
    eddsa     // the digest is not looked at
  };

  PublicKey() = default;  // verifies nothing
  // A PEM of a SubjectPublicKeyInfo, an RSAPublicKey or a certificate; of a private key, which holds the
  // public one.
  static Result<PublicKey> from_pem(std::string_view pem);
  // An RSA key of its modulus and exponent, and a point of a curve ("P-256", "P-384", "P-521") or of Ed25519:
  // big-endian bytes, as a JSON Web Key has them (RFC 7518 §6).
  static Result<PublicKey> rsa(std::string_view modulus, std::string_view exponent);
  static Result<PublicKey> ec(std::string_view curve, std::string_view x, std::string_view y);
  static Result<PublicKey> ed25519(std::string_view x);

  // Whether a key of this kind can verify such signatures at all; ES256 goes with P-256 only.
  bool suits(Scheme scheme, Digest digest) const;
  bool verifies(Scheme scheme, Digest digest, std::string_view message, std::string_view signature) const;
  explicit operator bool() const { return key_ != nullptr; }

 private:
  struct Key;
  explicit PublicKey(std::shared_ptr<const Key> key) : key_(std::move(key)) {}
  std::shared_ptr<const Key> key_;
};

}  // namespace sluice
