// SPDX-License-Identifier: Apache-2.0
// The list of addresses that proxies append to (X-Forwarded-For), read by whoever wants to know the client. A
// pure function, any thread.
#pragma once
#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/cidr.h"

namespace sluice::plugin {

// The last entry of "203.0.113.7, 10.0.0.1:4711"; with `passed_over` the last that is not one of those, or
// the first when all are. Nothing when that entry is no address.
std::optional<Endpoint> last_forwarded(std::string_view list, const CidrSet* passed_over);

}  // namespace sluice::plugin
