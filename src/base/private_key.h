// SPDX-License-Identifier: Apache-2.0
// Signatures of JSON Web Signatures (RFC 7518 §3) made with a private key in PEM: the counterpart of
// public_key.h. Pure functions, any thread.
#pragma once
#include <string>
#include <string_view>

#include "base/public_key.h"

namespace sluice {

// The error says what is wrong with the key; one that cannot sign so is an error.
Result<std::string> sign_with(std::string_view pem, PublicKey::Scheme scheme, Digest digest,
                              std::string_view bytes);

}  // namespace sluice
