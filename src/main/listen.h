// SPDX-License-Identifier: Apache-2.0
// Where clients come in, as config.yaml says it: `apisix.node_listen`, and `apisix.ssl` for those that speak
// TLS. Start of the process.
#pragma once
#include <memory>

#include "main/config.h"
#include "main/section.h"
#include "net/tls_front.h"

namespace sluice::main {

void read_node_listen(Section& apisix, bool ipv6, Config& config);
void read_ssl(Section ssl, bool ipv6, Config& config);
// Ports at which every connection begins with a PROXY header.
void read_proxy_protocol(Section section, bool ipv6, Config& config);

// What the TLS listeners share; null when there are none.
Result<std::shared_ptr<const net::TlsFront>> tls_front(const Config& config);
// The authorities by which servers' certificates are checked (apisix.ssl.ssl_trusted_certificate); null: the
// system's.
Result<std::shared_ptr<const net::TrustStore>> trusted_roots(const Config& config, const std::string& prefix);

}  // namespace sluice::main
