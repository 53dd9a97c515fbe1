// SPDX-License-Identifier: Apache-2.0
// Numbered slots whose versions share what they have in common: changing one copies two tables of 64. Readers
// in other threads use a version that is pinned for them; versions are made and destroyed on one thread.
#pragma once
#include <array>
#include <cstdint>
#include <memory>

namespace sluice {

template <class T>
class PersistentVector {
 public:
  static constexpr std::uint32_t fanout = 64;
  static constexpr std::uint32_t size_max = fanout * fanout * fanout;

  // Null when the slot was never set.
  const T* find(std::uint32_t slot) const {
    if (root_ == nullptr || slot >= size_max) return nullptr;
    const Branch* branch = (*root_)[slot / (fanout * fanout)].get();
    const Leaf* leaf = branch == nullptr ? nullptr : (*branch)[slot / fanout % fanout].get();
    return leaf == nullptr ? nullptr : &(*leaf)[slot % fanout];
  }

  void set(std::uint32_t slot, T value) {
    auto root = root_ == nullptr ? std::make_shared<Root>() : std::make_shared<Root>(*root_);
    auto& branch_slot = (*root)[slot / (fanout * fanout)];
    auto branch =
        branch_slot == nullptr ? std::make_shared<Branch>() : std::make_shared<Branch>(*branch_slot);
    auto& leaf_slot = (*branch)[slot / fanout % fanout];
    auto leaf = leaf_slot == nullptr ? std::make_shared<Leaf>() : std::make_shared<Leaf>(*leaf_slot);
    (*leaf)[slot % fanout] = std::move(value);
    leaf_slot = std::move(leaf);
    branch_slot = std::move(branch);
    root_ = std::move(root);
  }

 private:
  using Leaf = std::array<T, fanout>;
  using Branch = std::array<std::shared_ptr<const Leaf>, fanout>;
  using Root = std::array<std::shared_ptr<const Branch>, fanout>;
  std::shared_ptr<const Root> root_;
};

}  // namespace sluice
