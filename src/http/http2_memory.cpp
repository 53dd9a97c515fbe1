// SPDX-License-Identifier: Apache-2.0
#include "http/http2_memory.h"

#include <cstddef>
#include <cstring>
#include <new>

#include "base/block_cache.h"

namespace sluice::http {
namespace {

// Stands in front of each block.
struct alignas(std::max_align_t) Head {
  std::size_t size;  // of what may be used
};

constexpr std::size_t kept_max = 4096;  // blocks of a size a thread
template <std::size_t size>
using Blocks = BlockCache<Head, size + sizeof(Head), kept_max>;

void* taken(void* block, std::size_t size) { return new (block) Head{size} + 1; }

void* take(std::size_t size) {
  if (size <= 64) return taken(Blocks<64>::take(), 64);
  if (size <= 128) return taken(Blocks<128>::take(), 128);
  if (size <= 256) return taken(Blocks<256>::take(), 256);
  if (size <= 512) return taken(Blocks<512>::take(), 512);
  if (size <= 1024) return taken(Blocks<1024>::take(), 1024);
  return taken(::operator new(size + sizeof(Head)), size);
}

void give(void* memory) {
  if (memory == nullptr) return;
  Head* const head = static_cast<Head*>(memory) - 1;
  switch (head->size) {
    case 64: return Blocks<64>::give(head);
    case 128: return Blocks<128>::give(head);
    case 256: return Blocks<256>::give(head);
    case 512: return Blocks<512>::give(head);
    case 1024: return Blocks<1024>::give(head);
    default: ::operator delete(head);
  }
}

void* retake(void* memory, std::size_t size) {
  const std::size_t had = memory == nullptr ? 0 : (static_cast<Head*>(memory) - 1)->size;
  if (size <= had) return memory;
  void* const more = take(size);
  if (memory != nullptr) std::memcpy(more, memory, had);
  give(memory);
  return more;
}

}  // namespace

nghttp2_mem* http2_memory() {
  static nghttp2_mem memory{
      nullptr,
      [](std::size_t size, void*) { return take(size); },
      [](void* block, void*) { give(block); },
      [](std::size_t count, std::size_t size, void*) {
        void* const block = take(count * size);  // nghttp2's own numbers: they are small
        return std::memset(block, 0, count * size);
      },
      [](void* block, std::size_t size, void*) { return retake(block, size); },
  };
  return &memory;
}

}  // namespace sluice::http
