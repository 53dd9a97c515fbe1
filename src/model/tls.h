// SPDX-License-Identifier: Apache-2.0
// Certificates with their keys, as the operator writes them: one that the gateway shows to clients, chosen by
// the name they ask for, or one that it shows to upstreams that want to know who it is. Plain values; any
// thread.
#pragma once
#include <optional>

#include "model/common.h"

namespace sluice::model {

// What clients have to show.
struct ClientCertificates {
  std::string ca;  // PEM
  std::int32_t depth = 1;
  std::vector<std::string> skip_mtls_uri_regex;
  void describe(json::Fields& field);
};

// What the issuer says of the certificate, shown to clients that ask for it.
struct OcspStapling {
  bool enabled = false;
  bool skip_verify = false;
  std::int32_t cache_ttl = 3600;  // seconds
  void describe(json::Fields& field);
};

struct Ssl : Common {
  enum class Type : std::uint8_t { server, client };
  friend json::Names enum_names(Type);

  Type type = Type::server;
  std::string cert, key;                 // PEM
  std::vector<std::string> certs, keys;  // further pairs, of other algorithms
  std::string sni;                       // this or snis
  std::vector<std::string> snis;
  std::optional<ClientCertificates> client;
  std::optional<OcspStapling> ocsp_stapling;
  std::int32_t status = 1;                 // 0: not used
  std::vector<std::string> ssl_protocols;  // none: those of config.yaml
  void describe(json::Fields& field);
};

}  // namespace sluice::model
