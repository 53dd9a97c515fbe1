// SPDX-License-Identifier: Apache-2.0
#include "base/cipher.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

#include "base/random.h"
#include "base/result.h"

namespace sluice {
namespace {

constexpr std::size_t nonce_bytes = 12, tag_bytes = 16, block_bytes = 16;

// One encryption or decryption. Texts are far below what an `int` counts: they come from bounded bodies.
class Cipher {
 public:
  enum class Direction : std::uint8_t { decrypt = 0, encrypt = 1 };

  Cipher(const EVP_CIPHER* kind, Direction direction, std::string_view key, std::string_view vector)
      : context_(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free) {
    SLUICE_CHECK(context_ != nullptr);
    SLUICE_CHECK(EVP_CipherInit_ex(raw(), kind, nullptr, bytes(key), bytes(vector),
                                   static_cast<int>(direction)) == 1);
  }

  void add_context(std::string_view context) {
    int size = 0;
    SLUICE_CHECK(
        EVP_CipherUpdate(raw(), nullptr, &size, bytes(context), static_cast<int>(context.size())) == 1);
  }
  // All of it; nothing when the tag or the padding is wrong.
  std::optional<std::string> run(std::string_view text) {
    std::string out(text.size() + block_bytes, '\0');
    int size = 0, rest = 0;
    auto* into = reinterpret_cast<unsigned char*>(out.data());
    const bool good =
        EVP_CipherUpdate(raw(), into, &size, bytes(text), static_cast<int>(text.size())) == 1 &&
        EVP_CipherFinal_ex(raw(), into + size, &rest) == 1;
    if (!good) {
      ERR_clear_error();
      return std::nullopt;
    }
    out.resize(static_cast<std::size_t>(size + rest));
    return out;
  }
  std::string tag() {
    std::string tag(tag_bytes, '\0');
    SLUICE_CHECK(EVP_CIPHER_CTX_ctrl(raw(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, tag.data()) == 1);
    return tag;
  }
  void expect_tag(std::string tag) {
    SLUICE_CHECK(EVP_CIPHER_CTX_ctrl(raw(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1);
  }

 private:
  static const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }
  EVP_CIPHER_CTX* raw() { return context_.get(); }
  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context_;
};

const EVP_CIPHER* cbc_of(std::string_view key, std::string_view vector) {
  SLUICE_CHECK((key.size() == 16 || key.size() == 32) && vector.size() == block_bytes);
  return key.size() == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
}

}  // namespace

std::string seal(std::string_view key, std::string_view context, std::string_view text) {
  SLUICE_CHECK(key.size() == seal_key_bytes);
  std::string sealed(nonce_bytes, '\0');
  fill_with_secret_bytes(sealed.data(), nonce_bytes);
  Cipher cipher(EVP_aes_256_gcm(), Cipher::Direction::encrypt, key, sealed);
  cipher.add_context(context);
  const auto encrypted = cipher.run(text);
  SLUICE_CHECK(encrypted.has_value());
  return sealed.append(*encrypted).append(cipher.tag());
}

std::optional<std::string> unseal(std::string_view key, std::string_view context, std::string_view sealed) {
  SLUICE_CHECK(key.size() == seal_key_bytes);
  if (sealed.size() < nonce_bytes + tag_bytes) return std::nullopt;
  Cipher cipher(EVP_aes_256_gcm(), Cipher::Direction::decrypt, key, sealed.substr(0, nonce_bytes));
  cipher.add_context(context);
  cipher.expect_tag(std::string(sealed.substr(sealed.size() - tag_bytes)));
  return cipher.run(sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes));
}

std::string encrypt_cbc(std::string_view key, std::string_view vector, std::string_view text) {
  Cipher cipher(cbc_of(key, vector), Cipher::Direction::encrypt, key, vector);
  auto encrypted = cipher.run(text);
  SLUICE_CHECK(encrypted.has_value());
  return std::move(*encrypted);
}

std::optional<std::string> decrypt_cbc(std::string_view key, std::string_view vector,
                                       std::string_view bytes) {
  if (bytes.empty() || bytes.size() % block_bytes != 0) return std::nullopt;
  Cipher cipher(cbc_of(key, vector), Cipher::Direction::decrypt, key, vector);
  return cipher.run(bytes);
}

}  // namespace sluice
