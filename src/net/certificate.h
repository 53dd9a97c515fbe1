// SPDX-License-Identifier: Apache-2.0
// What a certificate and a key in PEM are worth, before anybody is served with them: the Admin API asks when
// they are written; and what a certificate says of itself, for people. The context of a connection (tls.h)
// reads them again. Pure functions, any thread.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace sluice::net {

enum class PemFault : std::uint8_t {
  none,
  certificate,  // it cannot be read
  key,          // likewise
  pair,         // both can, and do not belong together
};

PemFault check_certificate(const std::string& certificate);
PemFault check_pair(const std::string& certificate, const std::string& key);

struct CertificateFacts {
  std::string subject;             // "CN = example.com"
  std::vector<std::string> names;  // DNS names it is for; when it lists no names, its common name
  std::int64_t not_before = 0;     // Unix seconds
  std::int64_t not_after = 0;
};
// Of the first certificate of a PEM text.
Result<CertificateFacts> certificate_facts(const std::string& certificate);

}  // namespace sluice::net
