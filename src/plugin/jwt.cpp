// SPDX-License-Identifier: Apache-2.0
#include "plugin/jwt.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/text.h"
#include "json/text.h"

namespace sluice::plugin {
namespace {

using Scheme = PublicKey::Scheme;

constexpr std::array<std::string_view, 13> names{"HS256", "HS384", "HS512", "RS256", "RS384",
                                                 "RS512", "ES256", "ES384", "ES512", "PS256",
                                                 "PS384", "PS512", "EdDSA"};

Digest digest_of_name(std::string_view algorithm) {
  if (algorithm.ends_with("384")) return Digest::sha384;
  return algorithm.ends_with("512") ? Digest::sha512 : Digest::sha256;
}

Scheme scheme_of_name(std::string_view algorithm) {
  if (algorithm.starts_with("RS")) return Scheme::rsa_pkcs1;
  if (algorithm.starts_with("PS")) return Scheme::rsa_pss;
  return algorithm.starts_with("ES") ? Scheme::ecdsa : Scheme::eddsa;
}

Result<json::Value> read_part(std::string_view encoded, const char* what) {
  std::string text;
  if (!base64_decode(encoded, text, Base64::url))
    return fail(ErrorKind::protocol, std::string("its ") + what + " is not Base64url");
  auto value = json::parse(text);
  if (!value || !value->is_object())
    return fail(ErrorKind::protocol, std::string("its ") + what + " is no JSON object");
  return std::move(*value);
}

}  // namespace

Result<Jwt> parse_jwt(std::string_view token) {
  if (token.size() > Jwt::bytes_max) return fail(ErrorKind::limit, "it is too long");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return fail(ErrorKind::protocol, "it has not three parts with dots between");
  Jwt jwt;
  auto header = read_part(token.substr(0, first), "header");
  if (!header) return std::unexpected(std::move(header.error()));
  auto payload = read_part(token.substr(first + 1, second - first - 1), "payload");
  if (!payload) return std::unexpected(std::move(payload.error()));
  if (!base64_decode(token.substr(second + 1), jwt.signature, Base64::url))
    return fail(ErrorKind::protocol, "its signature is not Base64url");
  jwt.header = std::move(*header);
  jwt.payload = std::move(*payload);
  jwt.signed_text = token.substr(0, second);
  return jwt;
}

std::span<const std::string_view> JwtKey::algorithms() { return names; }

Result<JwtKey> JwtKey::make(std::string_view algorithm, std::string_view secret) {
  if (is_symmetric(algorithm)) {
    JwtKey key;
    key.algorithm_ = *std::ranges::find(names, algorithm);
    key.secret_ = secret;
    key.fingerprint_ = combine_hashes(hash64(algorithm), hash64(secret));
    return key;
  }
  auto pem = PublicKey::from_pem(secret);
  if (!pem) return std::unexpected(std::move(pem.error()));
  auto key = make(algorithm, std::move(*pem));
  if (key) key->fingerprint_ = combine_hashes(hash64(algorithm), hash64(secret));
  return key;
}

Result<JwtKey> JwtKey::make(std::string_view algorithm, PublicKey public_key) {
  if (!public_key.suits(scheme_of_name(algorithm), digest_of_name(algorithm)))
    return fail(ErrorKind::protocol, "is no key for " + std::string(algorithm));
  JwtKey key;
  key.algorithm_ = *std::ranges::find(names, algorithm);
  key.public_ = std::move(public_key);
  return key;
}

bool JwtKey::verifies(const Jwt& token) const {
  if (algorithm_.empty() || token.header.text("alg") != algorithm_) return false;
  const Digest digest = digest_of_name(algorithm_);
  if (is_symmetric(algorithm_))
    return equals_in_constant_time(hmac_of(digest, secret_, token.signed_text), token.signature);
  return public_.verifies(scheme_of_name(algorithm_), digest, token.signed_text, token.signature);
}

bool JwtTimes::read(const json::Value& payload, JwtTimes& times) {
  for (const auto& [name, into] : {std::pair{"exp", &times.expires}, std::pair{"nbf", &times.not_before}}) {
    const json::Value* claim = payload.find(name);
    if (claim == nullptr) continue;
    if (!claim->is_number()) return false;
    *into = claim->as_double();
  }
  return true;
}

}  // namespace sluice::plugin
