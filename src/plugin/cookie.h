// SPDX-License-Identifier: Apache-2.0
// The Cookie field of a request (RFC 6265 §4.2), as plugins edit it before the upstream sees it; the
// variables cookie_NAME read it. The worker that owns the exchange.
#pragma once
#include <string_view>

#include "plugin/exchange.h"

namespace sluice::plugin {

// Takes every cookie of that name off what the upstream sees.
void remove_cookie(Exchange& x, std::string_view name);

}  // namespace sluice::plugin
