// SPDX-License-Identifier: Apache-2.0
// What writes under way are about to make theirs, so that two calls at once cannot both take what one may
// have: between the look whether a credential is free and the moment the configuration has it, it is claimed
// here. Control thread.
#pragma once
#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace sluice::admin {

class Claims {
 public:
  // Lets go when it is destroyed.
  class Guard {
   public:
    explicit Guard(Claims& claims) : claims_(claims) {}
    Guard(const Guard&) = delete;
    ~Guard() {
      for (const auto& name : held_) claims_.names_.erase(name);
    }
    // All of them, or none: false when another holds one. Once.
    bool take(std::vector<std::string> names) {
      if (std::ranges::any_of(names, [this](const auto& name) { return claims_.names_.contains(name); }))
        return false;
      held_ = std::move(names);
      claims_.names_.insert(held_.begin(), held_.end());
      return true;
    }

   private:
    Claims& claims_;
    std::vector<std::string> held_;
  };

 private:
  std::set<std::string> names_;
};

}  // namespace sluice::admin
