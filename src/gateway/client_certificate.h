// SPDX-License-Identifier: Apache-2.0
// Whether a request may be asked by the client that it came from, where ssls want client certificates: one
// that was shown for one host counts for that host only, and handshakes may have been let through for the
// sake of paths that need none (skip_mtls_uri_regex). Workers.
#pragma once
#include "gateway/certificates.h"
#include "plugin/exchange.h"

namespace sluice::gateway {

// `unnamed` stands for the server name of clients that asked for none.
bool client_may_ask(const plugin::Exchange& x, const CertificateNames& certificates,
                    std::string_view unnamed);

}  // namespace sluice::gateway
