// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  append_hex(bytes, text);
  return text;
}

TEST(Digest, KnowsPublishedVectors) {
  EXPECT_EQ(hex(digest_of(Digest::sha256, "abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(digest_of(Digest::sha256, "")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // RFC 4231 §4.2 and §4.3.
  EXPECT_EQ(hex(hmac_of(Digest::sha256, std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_of(Digest::sha256, "Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// That what is signed is good, openssl says in tests/peers/secrets_peer.py.
TEST(Digest, SignsWithAnRsaKeyOnly) {
  EXPECT_FALSE(sign_rs256("no key", "text"));
  EXPECT_FALSE(sign_rs256("", "text"));
  EXPECT_FALSE(sign_rs256(
      "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
      "-----END PRIVATE KEY-----\n",
      "text"));  // Ed25519, of RFC 8410
}

}  // namespace
}  // namespace sluice
