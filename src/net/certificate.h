// SPDX-License-Identifier: Apache-2.0
// What a certificate and a key in PEM are worth, before anybody is served with them: the Admin API asks when
// they are written. The context of a connection (tls.h) reads them again. Pure functions, any thread.
#pragma once
#include <cstdint>
#include <string>

namespace sluice::net {

enum class PemFault : std::uint8_t {
  none,
  certificate,  // it cannot be read
  key,          // likewise
  pair,         // both can, and do not belong together
};

PemFault check_certificate(const std::string& certificate);
PemFault check_pair(const std::string& certificate, const std::string& key);

}  // namespace sluice::net
