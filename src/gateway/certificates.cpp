// SPDX-License-Identifier: Apache-2.0
#include "gateway/certificates.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/text.h"
#include "net/ocsp.h"

namespace sluice::gateway {
namespace {

std::string plain_name(std::string_view written) {
  if (written.ends_with('.')) written.remove_suffix(1);
  return lowered(written);
}

// A certificate that names no responder, or comes without its issuer, is served without.
void add_staple(const std::string& id, const std::string& chain, const model::OcspStapling& written,
                net::TlsContext::Server& options) {
  auto made = net::OcspStaple::of(
      chain, {written.skip_verify, std::chrono::seconds(written.cache_ttl)});
  if (made) options.staples.push_back(std::move(*made));
  else log::error("ssl {}: no ocsp response send: {}", id, made.error().what);
}

net::TlsContext::Server options_of(const model::Ssl& written, const CertificateDefaults& defaults) {
  net::TlsContext::Server options{.certificate = written.cert, .key = written.key};
  for (std::size_t i = 0; i < std::min(written.certs.size(), written.keys.size()); ++i)
    options.further.push_back({written.certs[i], written.keys[i]});
  options.protocols = written.ssl_protocols.empty() ? defaults.protocols : written.ssl_protocols;
  options.ciphers = defaults.ciphers;
  options.http2 = defaults.http2;
  if (!written.client) return options;
  options.client_authority = written.client->ca;
  options.client_depth = written.client->depth;
  if (!written.client->skip_mtls_uri_regex.empty())
    options.client = net::TlsContext::ClientCertificate::asked;
  return options;
}

}  // namespace

Result<std::shared_ptr<const Certificate>> make_certificate(std::string id, const model::Ssl& written,
                                                            const CertificateDefaults& defaults) {
  auto made = std::make_shared<Certificate>();
  made->id = std::move(id);
  for (const auto& name : written.snis) made->names.push_back(plain_name(name));
  if (!written.sni.empty()) made->names.push_back(plain_name(written.sni));
  std::ranges::sort(made->names);
  made->names.erase(std::ranges::unique(made->names).begin(), made->names.end());
  auto options = options_of(written, defaults);
  if (written.ocsp_stapling && written.ocsp_stapling->enabled) {
    add_staple(made->id, written.cert, *written.ocsp_stapling, options);
    for (const auto& chain : written.certs) add_staple(made->id, chain, *written.ocsp_stapling, options);
  }
  auto context = net::TlsContext::server(options);
  if (!context) return std::unexpected(context.error());
  made->context = std::move(*context);
  if (!written.client) return made;
  for (const auto& pattern : written.client->skip_mtls_uri_regex) {
    auto regex = Regex::compile(pattern);
    if (!regex) return fail(ErrorKind::system, "skip_mtls_uri_regex: " + regex.error().what);
    made->unasked.push_back(std::move(*regex));
  }
  return made;
}

const std::shared_ptr<const Certificate>* CertificateNames::find(std::string_view name) const {
  if (const auto* exact = by_name_.find(name)) return exact;
  std::array<char, 256> pattern;
  if (name.size() >= pattern.size()) return nullptr;
  // "*b.example.com" is for "ab.example.com", "*.example.com" for it and any other first label.
  const std::size_t first_dot = std::min(name.find('.'), name.size());
  pattern[0] = '*';
  for (std::size_t from = 0; from <= first_dot && from < name.size(); ++from) {
    const std::string_view rest = name.substr(from);
    rest.copy(pattern.data() + 1, rest.size());
    if (const auto* wildcard = by_name_.find({pattern.data(), rest.size() + 1})) return wildcard;
  }
  return by_name_.find("*");
}

void CertificateBook::add(const std::shared_ptr<const Certificate>& certificate, std::int64_t revision) {
  if (certificate->asks_clients()) ++names_.asking_;
  for (const auto& name : certificate->names) {
    claims_[name].push_back({certificate, revision});
    settle(name);
  }
}

void CertificateBook::remove(const std::shared_ptr<const Certificate>& certificate) {
  if (certificate->asks_clients()) --names_.asking_;
  for (const auto& name : certificate->names) {
    std::erase_if(claims_[name], [&](const Claim& claim) { return claim.certificate == certificate; });
    settle(name);
  }
}

void CertificateBook::settle(const std::string& name) {
  const auto found = claims_.find(name);
  const auto& claims = found->second;
  if (claims.empty()) {
    names_.by_name_ = names_.by_name_.without(name);
    claims_.erase(found);
    return;
  }
  const auto latest = std::ranges::max_element(claims, {}, [](const Claim& claim) {
    return std::pair<std::int64_t, std::string_view>(claim.revision, claim.certificate->id);
  });
  names_.by_name_ = names_.by_name_.with(name, latest->certificate);
}

}  // namespace sluice::gateway
