// SPDX-License-Identifier: Apache-2.0
#include "admin/doorman.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace sluice::admin {
namespace {

IpAddress network_of(IpAddress peer) { return peer.is_v6() ? IpAddress::v6(peer.high(), 0) : peer; }

}  // namespace

Doorman::Answer Doorman::judge(IpAddress peer, const Key* key) {
  Visitor& it = visitor(network_of(peer));
  if (it.tries < 1) return key != nullptr && it.known.contains(key->name) ? Answer::come_in : Answer::wait;
  if (key != nullptr) return it.known.insert(key->name), Answer::come_in;
  it.tries -= 1;
  return Answer::refused;
}

Doorman::Visitor& Doorman::visitor(IpAddress peer) {
  const Instant now = clock_.now();
  auto found = visitors_.find(peer);
  if (found == visitors_.end()) {
    if (visitors_.size() >= addresses_max) make_room();
    found = visitors_.try_emplace(peer).first;
    found->second.counted = now;
  }
  Visitor& it = found->second;
  const double passed = std::chrono::duration<double>(now - std::exchange(it.counted, now)).count();
  it.tries = std::min(tries_max, it.tries + passed * tries_a_second);
  return it;
}

// Whoever has been away for the longest is forgotten.
void Doorman::make_room() {
  const auto oldest = std::ranges::min_element(
      visitors_, {}, [](const auto& visitor) { return visitor.second.counted; });
  visitors_.erase(oldest);
}

void Doorman::tell(std::string_view method, std::string_view path, IpAddress peer, std::string_view why) {
  const Instant now = clock_.now();
  if (has_told_ && now - told_ < std::chrono::seconds(1)) {
    ++untold_;
    return;
  }
  const auto more = std::exchange(untold_, 0);
  log::warn("Admin API: {} {} from {} refused: {}{}", method, path, peer.text(), why,
            more == 0 ? "" : fmt::format("; {} more calls were refused since the last line", more));
  told_ = now;
  has_told_ = true;
}

}  // namespace sluice::admin
