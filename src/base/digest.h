// SPDX-License-Identifier: Apache-2.0
// Digests (FIPS 180-4), message authentication codes (HMAC, RFC 2104) and signatures by RSA (RFC 8017 §8.2,
// "RS256"), for credentials that are signed rather than sent. Results are raw bytes. Pure functions, any
// thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

enum class Digest : std::uint8_t { sha1, sha256, sha384, sha512 };

std::string digest_of(Digest algorithm, std::string_view bytes);
std::string hmac_of(Digest algorithm, std::string_view key, std::string_view message);
// The key is PEM. The error says what is wrong with it.
Result<std::string> sign_rs256(std::string_view key, std::string_view bytes);

}  // namespace sluice
