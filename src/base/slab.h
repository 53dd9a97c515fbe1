// SPDX-License-Identifier: Apache-2.0
// Memory for what requests read of a large configuration: pieces that begin on a cache line, packed one
// behind the other in chunks of 2 MiB that the kernel is asked to back with huge pages, so that a lookup
// among 100,000 routes misses few lines and few translations of addresses. What is given back serves the
// next piece of its size; chunks stay. Any thread, under a lock: it is for those who compile, never for the
// data path. Under a sanitizer every piece is allocated singly, so that use after release is seen.
#pragma once
#include <cstddef>

namespace sluice {

class Slab {
 public:
  static constexpr std::size_t line = 64;
  static constexpr std::size_t piece_max = 1024;  // larger pieces come from the heap

  static void* take(std::size_t size);
  // `size` as it was taken.
  static void give(void* memory, std::size_t size);
};

// For std::allocate_shared.
template <class T>
struct SlabAllocator {
  using value_type = T;
  SlabAllocator() = default;
  template <class U>
  SlabAllocator(const SlabAllocator<U>&) {}  // NOLINT: one allocator is as good as another
  T* allocate(std::size_t count) { return static_cast<T*>(Slab::take(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) { Slab::give(memory, count * sizeof(T)); }
  bool operator==(const SlabAllocator&) const { return true; }
};

}  // namespace sluice
