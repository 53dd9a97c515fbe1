// SPDX-License-Identifier: Apache-2.0
#include "net/tls_tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

namespace sluice::net {

// Makes a new key when the newest is old enough, and forgets what is too old. False without a key to encrypt
// with.
bool TicketKeys::rotate() {
  const Instant now = clock_.now();
  for (auto& made : keys_) {
    if (!made || now < made->at + kept * encrypts_for) continue;
    OPENSSL_cleanse(&made->key, sizeof made->key);
    made.reset();
  }
  if (keys_[0] && now < keys_[0]->at + encrypts_for) return true;
  Key fresh;
  if (RAND_bytes(fresh.name.data(), static_cast<int>(fresh.name.size())) != 1 ||
      RAND_priv_bytes(fresh.cipher.data(), static_cast<int>(fresh.cipher.size())) != 1 ||
      RAND_priv_bytes(fresh.digest.data(), static_cast<int>(fresh.digest.size())) != 1)
    return false;
  std::ranges::rotate(keys_, keys_.end() - 1);
  keys_[0] = Made{fresh, now};
  return true;
}

std::optional<TicketKeys::Key> TicketKeys::current() {
  const std::lock_guard lock(mutex_);
  if (!rotate()) return std::nullopt;
  return keys_[0]->key;
}

std::optional<TicketKeys::Found> TicketKeys::find(const unsigned char* name) {
  const std::lock_guard lock(mutex_);
  if (!rotate()) return std::nullopt;
  for (const auto& made : keys_) {
    if (made && std::memcmp(made->key.name.data(), name, made->key.name.size()) == 0)
      return Found{made->key, &made == &keys_[0]};
  }
  return std::nullopt;
}

}  // namespace sluice::net
