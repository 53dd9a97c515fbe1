// SPDX-License-Identifier: Apache-2.0
// The keys of session tickets (RFC 5077 §5): what a client keeps to come back with is encrypted by them, so
// whoever has a key reads the recorded traffic of every connection that its tickets made short. So they live
// in memory only, each encrypts for an hour and decrypts for two more. Shared by all workers; locked.
#pragma once
#include <array>
#include <cstddef>
#include <mutex>
#include <optional>

#include "base/time.h"

namespace sluice::net {

class TicketKeys {
 public:
  static constexpr Duration encrypts_for = std::chrono::hours(1);
  static constexpr std::size_t kept = 3;

  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;  // AES-256-CBC
    std::array<unsigned char, 32> digest;  // HMAC-SHA-256
  };

  explicit TicketKeys(const Clock& clock) : clock_(clock) {}

  // The key of new tickets. Nothing when there is no randomness to make it of.
  std::optional<Key> current();
  struct Found {
    Key key;
    bool current;  // a ticket by an older one is replaced by a new one
  };
  std::optional<Found> find(const unsigned char* name);

 private:
  struct Made {
    Key key;
    Instant at;
  };
  bool rotate();

  const Clock& clock_;
  std::mutex mutex_;  // guards what follows
  std::array<std::optional<Made>, kept> keys_;  // the newest first
};

}  // namespace sluice::net
