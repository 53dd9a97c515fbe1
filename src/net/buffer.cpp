// SPDX-License-Identifier: Apache-2.0
#include "net/buffer.h"

#include <new>

#include "base/block_cache.h"

namespace sluice::net {
namespace {

constexpr std::size_t blocks_kept_max = 4096;  // 64 MiB a thread
using Blocks = BlockCache<Buffer, Buffer::standard_size, blocks_kept_max>;

}  // namespace

void Buffer::take(std::size_t capacity) {
  begin_ = end_ = 0;
  capacity_ = capacity;
  memory_ = static_cast<char*>(capacity == standard_size ? Blocks::take() : ::operator new(capacity));
}

void Buffer::give_back() {
  if (capacity_ == standard_size) Blocks::give(memory_);
  else ::operator delete(memory_);
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
