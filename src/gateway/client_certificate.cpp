// SPDX-License-Identifier: Apache-2.0
#include "gateway/client_certificate.h"

#include "base/log.h"
#include "net/tls_facts.h"

namespace sluice::gateway {
namespace {

bool needs_none(const Certificate& certificate, std::string_view path) {
  for (const Regex& pattern : certificate.unasked) {
    if (pattern.match(path) == Regex::Outcome::match) return true;
  }
  return false;
}

// A certificate that was shown before the ssl changed is judged by the authorities the ssl has since then.
bool is_known(const net::TlsFacts& tls, const Certificate& certificate) {
  return tls.client_verified() && tls.context().client_domain() == certificate.context->client_domain();
}

}  // namespace

bool client_may_ask(const plugin::Exchange& x, const CertificateNames& certificates,
                    std::string_view unnamed) {
  const net::TlsFacts& tls = *x.tls;
  const std::string_view asked = tls.server_name().empty() ? unnamed : tls.server_name();
  const auto* shown = certificates.find(asked);
  if (shown != nullptr && (*shown)->asks_clients() && !needs_none(**shown, x.request.path) &&
      !is_known(tls, **shown)) {
    log::info("{} {}: no good client certificate: {}", x.request.method, x.request.target,
              tls.client_verify());
    return false;
  }
  if (x.request.host == asked) return true;
  const auto* of_host = certificates.find(x.request.host);
  if (of_host == nullptr || !(*of_host)->asks_clients()) return true;
  log::info("{} {}: {} asks for client certificates, but the handshake was with '{}'", x.request.method,
            x.request.target, x.request.host, asked);
  return false;
}

}  // namespace sluice::gateway
