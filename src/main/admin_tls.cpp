// SPDX-License-Identifier: Apache-2.0
#include "main/admin_tls.h"

#include "main/pem_file.h"

namespace sluice::main {
namespace {

constexpr std::string_view section = "/deployment/admin/admin_api_mtls";

}  // namespace

Result<std::shared_ptr<const net::TlsContext>> admin_tls(const Config& config, const std::string& prefix) {
  if (!config.admin_https) return nullptr;
  net::TlsContext::Server options;
  auto certificate = read_pem_file(config.admin_certificate, prefix, section);
  if (!certificate) return std::unexpected(certificate.error());
  auto key = read_pem_file(config.admin_certificate_key, prefix, section);
  if (!key) return std::unexpected(key.error());
  options.certificate = std::move(*certificate);
  options.key = std::move(*key);
  if (!config.admin_client_authority.empty()) {
    auto authority = read_pem_file(config.admin_client_authority, prefix, section);
    if (!authority) return std::unexpected(authority.error());
    options.client_authority = std::move(*authority);
  }
  return net::TlsContext::server(options);
}

}  // namespace sluice::main
