// SPDX-License-Identifier: Apache-2.0
// Memory blocks of one size, kept by the thread that gave them back, so that the next taker pays no
// allocation. A block may be taken on one thread and given back on another. What a thread keeps is freed when
// it ends. Under a sanitizer nothing is kept, so that use after release is seen.
#pragma once
#include <cstddef>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_KEEP_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_KEEP_BLOCKS 0
#endif
#endif
#ifndef SLUICE_KEEP_BLOCKS
#define SLUICE_KEEP_BLOCKS 1
#endif

namespace sluice {

// `kept_max` blocks of `size` bytes a thread; `Owner` keeps the lists of two users apart.
template <class Owner, std::size_t size, std::size_t kept_max>
class BlockCache {
 public:
  static void* take() {
    if (free_ == nullptr) return ::operator new(size);
    Block* block = free_;
    free_ = block->next;
    --count_;
    return block;
  }

  static void give(void* memory) {
    if (!SLUICE_KEEP_BLOCKS || ended_ || count_ == kept_max) return ::operator delete(memory);
    if (free_ == nullptr) static_cast<void>(&cleaner());
    free_ = new (memory) Block{free_};
    ++count_;
  }

 private:
  struct Block {
    Block* next;
  };
  struct Cleaner {
    Cleaner() noexcept {}
    ~Cleaner() {
      ended_ = true;
      while (free_ != nullptr) ::operator delete(std::exchange(free_, free_->next));
      count_ = 0;
    }
  };
  static Cleaner& cleaner() {
    static thread_local Cleaner made;
    return made;
  }
  static inline thread_local Block* free_ = nullptr;
  static inline thread_local std::size_t count_ = 0;
  static inline thread_local bool ended_ = false;
};

}  // namespace sluice
