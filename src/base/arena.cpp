// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

namespace sluice {
namespace {

constexpr std::size_t block_size = 4096;
constexpr std::size_t blocks_kept_max = 1024;  // a thread keeps 4 MiB for reuse at most

struct FreeBlock {
  FreeBlock* next;
};
thread_local FreeBlock* free_blocks = nullptr;
thread_local std::size_t free_count = 0;

void* take_block() {
  if (free_blocks == nullptr) return ::operator new(block_size);
  FreeBlock* block = free_blocks;
  free_blocks = block->next;
  --free_count;
  return block;
}

void give_block(void* memory) {
  if (free_count == blocks_kept_max) return ::operator delete(memory);
  free_blocks = new (memory) FreeBlock{free_blocks};
  ++free_count;
}

}  // namespace

void* Arena::allocate_slow(std::size_t size, std::size_t alignment) {
  constexpr std::size_t room = block_size - sizeof(Block);
  const bool fits = size + alignment <= room;
  const std::size_t bytes = fits ? block_size : size + alignment + sizeof(Block);
  auto* block = new (fits ? take_block() : ::operator new(bytes)) Block{blocks_, bytes};
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
    if (block->size == block_size) give_block(block);
    else ::operator delete(block);
  }
  next_ = end_ = nullptr;
}

}  // namespace sluice
