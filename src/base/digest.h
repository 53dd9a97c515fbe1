// SPDX-License-Identifier: Apache-2.0
// What services elsewhere want to see before they answer: SHA-256, HMAC with it (RFC 2104), and signatures by
// RSA with it (RFC 8017 §8.2, "RS256"). Results are bytes. Pure functions, any thread.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

std::string sha256(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view bytes);
// The key is PEM. The error says what is wrong with it.
Result<std::string> sign_rs256(std::string_view key, std::string_view bytes);

}  // namespace sluice
