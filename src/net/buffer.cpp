// SPDX-License-Identifier: Apache-2.0
#include "net/buffer.h"

#include <cstdlib>
#include <new>

namespace sluice::net {
namespace {

struct FreeBlock {
  FreeBlock* next;
};
thread_local FreeBlock* free_blocks = nullptr;
thread_local std::size_t free_count = 0;
constexpr std::size_t blocks_kept_max = 4096;  // 64 MiB a thread

}  // namespace

void Buffer::need(std::size_t capacity) {
  if (memory_ != nullptr) return;
  begin_ = end_ = 0;
  capacity_ = capacity;
  if (capacity == standard_size && free_blocks != nullptr) {
    FreeBlock* block = free_blocks;
    free_blocks = block->next;
    --free_count;
    memory_ = reinterpret_cast<char*>(block);
    return;
  }
  memory_ = static_cast<char*>(::operator new(capacity));
}

void Buffer::release() {
  if (memory_ == nullptr) return;
  if (capacity_ == standard_size && free_count < blocks_kept_max) {
    free_blocks = new (memory_) FreeBlock{free_blocks};
    ++free_count;
  } else {
    ::operator delete(memory_);
  }
  memory_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void Buffer::compact() {
  if (begin_ == 0) return;
  std::memmove(memory_, memory_ + begin_, size());
  end_ -= begin_;
  begin_ = 0;
}

void Buffer::grow(std::size_t capacity) {
  Buffer bigger;
  bigger.need(capacity);
  std::memcpy(bigger.memory_, data(), size());
  bigger.end_ = size();
  *this = std::move(bigger);
}

}  // namespace sluice::net
