// SPDX-License-Identifier: Apache-2.0
// The keys a provider publishes (JSON Web Key Set, RFC 7517), for verifying its tokens. Keys that are not for
// signatures, and those of kinds nobody here knows, are passed over. Immutable, any thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plugin/jwt.h"

namespace sluice::plugin {

class JwkSet {
 public:
  static constexpr std::size_t keys_max = 64;  // more are not looked at

  // An error when it is no set at all; a set without a usable key is one.
  static Result<JwkSet> parse(const json::Value& document);

  // Whether a key of that name is there; a token that names none may be by any.
  bool knows(std::string_view key_id) const;
  // The token's algorithm has to be one of public keys, and to suit the key.
  bool verifies(const Jwt& token) const;
  std::size_t size() const { return keys_.size(); }

 private:
  struct Key {
    std::string id, algorithm;  // "": any
    PublicKey key;
  };
  std::vector<Key> keys_;
};

}  // namespace sluice::plugin
