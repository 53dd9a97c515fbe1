// SPDX-License-Identifier: Apache-2.0
// What is proxied below HTTP, as config.yaml says it: `apisix.proxy_mode`, and the ports of
// `apisix.stream_proxy`. Start of the process.
#pragma once
#include "main/config.h"
#include "main/section.h"

namespace sluice::main {

// Behind the ports of HTTP, which go when only streams are proxied.
void read_stream_proxy(Section& apisix, bool ipv6, Config& config);

}  // namespace sluice::main
