// SPDX-License-Identifier: Apache-2.0
// The two ways in which clients of plugin hmac-auth sign a request: APISIX 3's Authorization field of scheme
// "Signature", and the X-HMAC-* fields of APISIX 2. Both are read into the same parts, and say what was
// signed.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/exchange.h"

namespace sluice::plugin {

struct SignedRequest {
  std::string_view key_id, algorithm, signature, date;  // empty: absent
  std::vector<std::string_view> headers;                // what is signed beside, in order
  bool older = false;                                   // in the fields of APISIX 2
};

// What the client says it signed; nothing, and why, when it does not say.
std::optional<SignedRequest> read_signed_request(const Exchange& x, std::string_view& why);

// The text that the client must have signed. `encode_arguments` is of the older form.
std::string signing_text(const Exchange& x, const SignedRequest& request, bool encode_arguments);

}  // namespace sluice::plugin
