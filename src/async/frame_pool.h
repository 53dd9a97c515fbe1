// SPDX-License-Identifier: Apache-2.0
// Where coroutine frames live: free lists of the thread by size, so that starting a coroutine costs a few
// nanoseconds. Under a sanitizer every frame is allocated singly, so that use after destruction is seen.
#pragma once
#include <array>
#include <cstddef>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_POOL_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_POOL_FRAMES 0
#endif
#endif
#ifndef SLUICE_POOL_FRAMES
#define SLUICE_POOL_FRAMES 1
#endif

namespace sluice::async {

class FramePool {
 public:
  void* take(std::size_t size) {
    const std::size_t index = (size + step - 1) / step;
    if (index >= classes) return ::operator new(size);
    if (Node* node = free_[index]) {
      free_[index] = node->next;
      return node;
    }
    return ::operator new(index * step);
  }

  void give(void* memory, std::size_t size) {
    const std::size_t index = (size + step - 1) / step;
    if (index >= classes) return ::operator delete(memory);
    free_[index] = new (memory) Node{free_[index]};
  }

  static FramePool& of_thread() {
    static thread_local FramePool pool;
    return pool;
  }

 private:
  static constexpr std::size_t step = 64, classes = 64;
  struct Node {
    Node* next;
  };
  std::array<Node*, classes> free_{};
};

// Base of every promise type.
struct PooledFrame {
#if SLUICE_POOL_FRAMES
  static void* operator new(std::size_t size) { return FramePool::of_thread().take(size); }
  static void operator delete(void* memory, std::size_t size) { FramePool::of_thread().give(memory, size); }
#endif
};

}  // namespace sluice::async
