// SPDX-License-Identifier: Apache-2.0
#include "model/tls.h"

namespace sluice::model {
namespace {

constexpr std::size_t certificate_min = 128, key_min = 64, pem_max = 65'536;

}  // namespace

json::Names enum_names(Ssl::Type) {
  static constexpr std::string_view names[]{"server", "client"};
  return names;
}

void ClientCertificates::describe(json::Fields& field) {
  field("ca", ca, "Certificates of those who sign client certificates, PEM.")
      .required()
      .length(certificate_min, pem_max);
  field("depth", depth, "Longest chain of a client certificate.").at_least(0);
  field("skip_mtls_uri_regex", skip_mtls_uri_regex, "Paths that ask for no client certificate.")
      .min_items(1)
      .unique();
  field.open();
}

void OcspStapling::describe(json::Fields& field) {
  field("enabled", enabled, "Whether clients that ask are shown what the issuer says of the certificate.");
  field("skip_verify", skip_verify, "Shows it also when it is not signed as it should be, or not good news.");
  field("cache_ttl", cache_ttl, "Seconds for which an answer is shown; a new one is fetched before.")
      .at_least(60);
  field.open();
}

void Ssl::describe(json::Fields& field) {
  describe_id(*this, field);
  describe_rest(*this, field);
  field("type", type, "server: shown to clients; client: shown to upstreams, by their tls.client_cert_id.");
  field("cert", cert, "Certificate chain, PEM.").length(certificate_min, pem_max);
  field("key", key, "Its private key, PEM; it is not shown again.").length(key_min, pem_max).secret();
  field("certs", certs, "Further certificate chains, of other algorithms.")
      .items()
      .length(certificate_min, pem_max);
  field("keys", keys, "Their private keys, in the same order.").items().length(key_min, pem_max).secret();
  field("sni", sni, "Name it is shown for; *.example.com covers one label.").pattern(host_pattern);
  field("snis", snis, "Several of them.").min_items(1).items().pattern(host_pattern);
  field("client", client, "What clients have to show.");
  field("ocsp_stapling", ocsp_stapling, "OCSP stapling of the certificates.");
  field("status", status, "1: in use, 0: switched off.").one_of({1, 0});
  field("ssl_protocols", ssl_protocols, "Versions of TLS; none: those of config.yaml.")
      .max_items(3)
      .unique()
      .items()
      .one_of({"TLSv1.1", "TLSv1.2", "TLSv1.3"});
  if (!field.reading()) return;
  const bool is_server = type == Type::server;
  field.check(field.has("cert") && field.has("key"), "", "needs cert and key",
              is_server ? "then clause did not match" : "else clause did not match");
  field.check(!is_server || field.has("sni") != field.has("snis"), "", "needs sni or snis, and not both",
              "then clause did not match");
}

}  // namespace sluice::model
