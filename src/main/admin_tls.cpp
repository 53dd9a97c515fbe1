// SPDX-License-Identifier: Apache-2.0
#include "main/admin_tls.h"

#include <fstream>
#include <sstream>

namespace sluice::main {
namespace {

Result<std::string> read_file(std::string path, const std::string& prefix) {
  if (!path.starts_with('/')) path.insert(0, prefix + "/conf/");
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in)
    return fail(ErrorKind::system,
                "/deployment/admin/admin_api_mtls names " + path + ", which cannot be read");
  return text.str();
}

}  // namespace

Result<std::shared_ptr<const net::TlsContext>> admin_tls(const Config& config, const std::string& prefix) {
  if (!config.admin_https) return nullptr;
  net::TlsContext::Server options;
  auto certificate = read_file(config.admin_certificate, prefix);
  if (!certificate) return std::unexpected(certificate.error());
  auto key = read_file(config.admin_certificate_key, prefix);
  if (!key) return std::unexpected(key.error());
  options.certificate = std::move(*certificate);
  options.key = std::move(*key);
  if (!config.admin_client_authority.empty()) {
    auto authority = read_file(config.admin_client_authority, prefix);
    if (!authority) return std::unexpected(authority.error());
    options.client_authority = std::move(*authority);
  }
  return net::TlsContext::server(options);
}

}  // namespace sluice::main
