// SPDX-License-Identifier: Apache-2.0
// A cache of bounded size by text: what was not asked for in a while makes room for what is. Two generations,
// so that every operation is one or two look-ups and nothing is ever scanned. One thread.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/hash.h"

namespace sluice {

template <class T>
class AgingCache {
 public:
  // Never holds more than `entries_max` (at least 2).
  explicit AgingCache(std::size_t entries_max) : half_(entries_max / 2) {}

  // Null when it is not there. Valid until the next call.
  T* find(std::string_view key) {
    if (const auto found = young_.find(key); found != young_.end()) return &found->second;
    const auto found = old_.find(key);
    if (found == old_.end()) return nullptr;
    auto node = old_.extract(found);
    make_room();
    return &young_.insert(std::move(node)).position->second;
  }

  T& put(std::string_view key, T value) {
    make_room();
    old_.erase(std::string(key));
    return young_.insert_or_assign(std::string(key), std::move(value)).first->second;
  }

  void erase(std::string_view key) {
    young_.erase(std::string(key));
    old_.erase(std::string(key));
  }
  std::size_t size() const { return young_.size() + old_.size(); }

 private:
  using Map = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

  void make_room() {
    if (young_.size() < half_) return;
    old_ = std::move(young_);
    young_.clear();
  }

  std::size_t half_;
  Map young_, old_;
};

}  // namespace sluice
