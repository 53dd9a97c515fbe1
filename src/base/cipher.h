// SPDX-License-Identifier: Apache-2.0
// AES for secrets that are kept somewhere: sealed, so that a change of a single bit is noticed
// (AES-256-GCM, NIST SP 800-38D), and in CBC mode with padding (RFC 5652 §6.3), which APISIX keeps its
// secrets in. Keys are bytes. Pure functions, any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

inline constexpr std::size_t seal_key_bytes = 32;

// A random nonce, the text, encrypted, and a tag. `context` is not part of it, and must be the same again to
// open it: what is sealed in one place is worth nothing in another. The key has `seal_key_bytes`.
std::string seal(std::string_view key, std::string_view context, std::string_view text);
// Nothing when it was sealed with another key or in another context, or is damaged.
std::optional<std::string> unseal(std::string_view key, std::string_view context, std::string_view sealed);

// The key has 16 bytes (AES-128) or 32 (AES-256), the vector 16.
std::string encrypt_cbc(std::string_view key, std::string_view vector, std::string_view text);
// Nothing when the length or the padding is not as it must be.
std::optional<std::string> decrypt_cbc(std::string_view key, std::string_view vector, std::string_view bytes);

}  // namespace sluice
