// SPDX-License-Identifier: Apache-2.0
#include "base/cipher.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace sluice {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  EXPECT_TRUE(decode_hex(hex, bytes));
  return bytes;
}

// The Galois/Counter Mode of Operation (McGrew, Viega), test case 16: nonce, ciphertext, tag.
TEST(Cipher, OpensAPublishedVector) {
  const auto key = from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const auto context = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto sealed = from_hex(
      "cafebabefacedbaddecaf888"
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
      "c5f61e6393ba7a0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b");
  const auto text = unseal(key, context, sealed);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(
      *text,
      from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
               "49a6b525b16aedf5aa0de657ba637b39"));
}

TEST(Cipher, SealsForOneKeyAndOnePlace) {
  const std::string key(seal_key_bytes, 'k'), other(seal_key_bytes, 'o');
  for (const std::string text : {"", "s", "a secret of more than one block of AES"}) {
    const auto sealed = seal(key, "/apisix/routes/1", text);
    EXPECT_EQ(unseal(key, "/apisix/routes/1", sealed), text);
    EXPECT_NE(seal(key, "/apisix/routes/1", text), sealed) << "a nonce is never used twice";
    EXPECT_EQ(unseal(other, "/apisix/routes/1", sealed), std::nullopt);
    EXPECT_EQ(unseal(key, "/apisix/routes/2", sealed), std::nullopt);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      std::string damaged = sealed;
      damaged[i] = static_cast<char>(damaged[i] ^ 1);
      EXPECT_EQ(unseal(key, "/apisix/routes/1", damaged), std::nullopt) << i;
      EXPECT_EQ(unseal(key, "/apisix/routes/1", sealed.substr(0, i)), std::nullopt) << i;
    }
  }
}

// What `openssl enc -aes-128-cbc -K … -iv … -a` makes of it.
TEST(Cipher, SpeaksOpenssl) {
  struct {
    std::string_view key, text, coded;
  } table[]{
      {"qeddd145sfvddff3", "auth-one", "4y+JvURBE6ZwRbbgaryrhg=="},
      {"0123456789abcdef0123456789ABCDEF", "auth-one", "6XS2Cpox/m7xSwx6BUx5cQ=="},
  };
  for (const auto& row : table) {
    const auto vector = row.key.substr(0, 16);
    const auto bytes = encrypt_cbc(row.key, vector, row.text);
    std::string coded;
    base64_encode(bytes, coded);
    EXPECT_EQ(coded, row.coded);
    EXPECT_EQ(decrypt_cbc(row.key, vector, bytes), row.text);
    EXPECT_EQ(decrypt_cbc(row.key, vector, bytes.substr(1)), std::nullopt);
    EXPECT_EQ(decrypt_cbc(row.key, vector, ""), std::nullopt);
    EXPECT_NE(decrypt_cbc("edd1c9f0985e76a2", "edd1c9f0985e76a2", bytes), row.text);
  }
}

}  // namespace
}  // namespace sluice
