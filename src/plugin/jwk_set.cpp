// SPDX-License-Identifier: Apache-2.0
#include "plugin/jwk_set.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::plugin {
namespace {

Result<PublicKey> key_of(const json::Value& jwk) {
  const auto number = [&jwk](std::string_view name) {
    std::string bytes;
    if (!base64_decode(jwk.text(name), bytes, Base64::url)) bytes.clear();
    return bytes;
  };
  const std::string_view type = jwk.text("kty");
  if (type == "RSA") return PublicKey::rsa(number("n"), number("e"));
  if (type == "EC") return PublicKey::ec(jwk.text("crv"), number("x"), number("y"));
  if (type == "OKP" && jwk.text("crv") == "Ed25519") return PublicKey::ed25519(number("x"));
  return fail(ErrorKind::protocol, "a kind of key that is not known");
}

bool is_known(std::string_view algorithm) {
  return std::ranges::find(JwtKey::algorithms(), algorithm) != JwtKey::algorithms().end();
}

}  // namespace

Result<JwkSet> JwkSet::parse(const json::Value& document) {
  const auto* keys = document.find("keys");
  if (keys == nullptr || !keys->is_array()) return fail(ErrorKind::protocol, "there is no list \"keys\"");
  JwkSet set;
  for (const auto& jwk : keys->as_array()) {
    if (set.keys_.size() == keys_max) break;
    if (jwk.text("use", "sig") != "sig") continue;
    auto key = key_of(jwk);
    if (key) set.keys_.push_back({std::string(jwk.text("kid")), std::string(jwk.text("alg")), *key});
  }
  return set;
}

bool JwkSet::knows(std::string_view key_id) const {
  return key_id.empty() ? !keys_.empty() : std::ranges::find(keys_, key_id, &Key::id) != keys_.end();
}

bool JwkSet::verifies(const Jwt& token) const {
  const std::string_view algorithm = token.header.text("alg"), id = token.header.text("kid");
  if (!is_known(algorithm) || JwtKey::is_symmetric(algorithm)) return false;
  return std::ranges::any_of(keys_, [&](const Key& one) {
    if (!id.empty() && !one.id.empty() && one.id != id) return false;
    if (!one.algorithm.empty() && one.algorithm != algorithm) return false;
    const auto key = JwtKey::make(algorithm, one.key);
    return key && key->verifies(token);
  });
}

}  // namespace sluice::plugin
