// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include "base/block_cache.h"

namespace sluice {
namespace {

constexpr std::size_t block_size = 4096;
constexpr std::size_t blocks_kept_max = 1024;  // a thread keeps 4 MiB for reuse at most
using Blocks = BlockCache<Arena, block_size, blocks_kept_max>;

}  // namespace

void* Arena::allocate_slow(std::size_t size, std::size_t alignment) {
  constexpr std::size_t room = block_size - sizeof(Block);
  const bool fits = size + alignment <= room;
  const std::size_t bytes = fits ? block_size : size + alignment + sizeof(Block);
  auto* block = new (fits ? Blocks::take() : ::operator new(bytes)) Block{blocks_, bytes};
  blocks_ = block;
  char* start = reinterpret_cast<char*>(block + 1);
  auto at = (reinterpret_cast<std::uintptr_t>(start) + alignment - 1) & ~(alignment - 1);
  if (fits) {  // an outsize block serves one request; small ones go on in the block they had
    next_ = reinterpret_cast<char*>(at + size);
    end_ = reinterpret_cast<char*>(block) + bytes;
  }
  return reinterpret_cast<void*>(at);
}

void Arena::clear() {
  while (finalizers_ != nullptr) {
    Finalizer* entry = finalizers_;
    finalizers_ = entry->next;
    entry->destroy(entry->object);
  }
  while (blocks_ != nullptr) {
    Block* block = blocks_;
    blocks_ = block->next;
    if (block->size == block_size) Blocks::give(block);
    else ::operator delete(block);
  }
  next_ = end_ = nullptr;
}

}  // namespace sluice
