// SPDX-License-Identifier: Apache-2.0
// Who tries wrong keys: how many an address may try, and how often the log hears of it. An address that has
// used up its tries is told to wait, without its keys being worth anything; only a key that it has shown
// before still counts, so that nobody shuts out those who are known there. Control thread.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "admin/keys.h"
#include "base/address.h"
#include "base/time.h"

namespace sluice::admin {

class Doorman {
 public:
  static constexpr double tries_max = 100;         // of wrong keys, at once
  static constexpr double tries_a_second = 10;     // come back
  static constexpr std::size_t addresses_max = 4096;  // remembered; an IPv6 network of 64 bits is one

  explicit Doorman(const Clock& clock) : clock_(clock) {}

  enum class Answer : std::uint8_t { come_in, refused, wait };
  // `key` is what the call's key is, null for none of ours.
  Answer judge(IpAddress peer, const Key* key);
  // A call was refused: says so in the log, once a second at most, with how many there were.
  void tell(std::string_view method, std::string_view path, IpAddress peer, std::string_view why);

 private:
  struct Visitor {
    double tries = tries_max;  // left
    Instant counted{};
    std::set<std::string> known;  // names of keys it has shown
  };
  Visitor& visitor(IpAddress peer);
  void make_room();

  const Clock& clock_;
  std::map<IpAddress, Visitor> visitors_;
  Instant told_{};
  bool has_told_ = false;
  std::uint64_t untold_ = 0;
};

}  // namespace sluice::admin
