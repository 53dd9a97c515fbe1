// SPDX-License-Identifier: Apache-2.0
// What clients and operators bring to authentication: tokens, public keys, dates, compressed bodies. Nothing
// of it verifies by chance, and nothing is decoded beyond its bound.
#include <string_view>

#include "base/compression.h"
#include "base/time.h"
#include "plugin/jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sluice;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const auto key = *plugin::JwtKey::make("HS256", std::string_view("a secret nobody guesses"));
  if (const auto token = plugin::parse_jwt(bytes)) {
    plugin::JwtTimes times;
    (void)plugin::JwtTimes::read(token->payload, times);
    SLUICE_CHECK(!key.verifies(*token));
  }
  if (const auto read = PublicKey::from_pem(bytes))
    SLUICE_CHECK(!read->verifies(PublicKey::Scheme::rsa_pkcs1, Digest::sha256, bytes, bytes));
  (void)parse_http_date(bytes);
  constexpr std::size_t bound = 1 << 16;
  for (const Coding coding : {Coding::gzip, Coding::deflate, Coding::brotli}) {
    const auto decoded = decode(coding, bytes, bound);
    if (decoded) SLUICE_CHECK(decoded->size() <= bound);
  }
  return 0;
}
