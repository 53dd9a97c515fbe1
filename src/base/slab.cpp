// SPDX-License-Identifier: Apache-2.0
#include "base/slab.h"

#include <sys/mman.h>

#include <array>
#include <mutex>
#include <new>
#include <utility>

#include "base/block_cache.h"  // SLUICE_KEEP_BLOCKS

namespace sluice {
namespace {

constexpr std::size_t chunk_size = std::size_t{2} << 20;
constexpr std::align_val_t on_line{Slab::line};

struct Chunks {
  struct Piece {
    Piece* next;
  };
  std::mutex mutex;
  std::array<Piece*, Slab::piece_max / Slab::line + 1> free{};  // by lines
  char* next = nullptr;                                        // of the chunk that is being filled
  char* end = nullptr;

  void* take(std::size_t lines) {
    const std::lock_guard lock(mutex);
    if (Piece* piece = free[lines]) {
      free[lines] = piece->next;
      return piece;
    }
    const std::size_t size = lines * Slab::line;
    if (static_cast<std::size_t>(end - next) < size) add_chunk();
    return std::exchange(next, next + size);
  }

  void give(void* memory, std::size_t lines) {
    const std::lock_guard lock(mutex);
    free[lines] = new (memory) Piece{free[lines]};
  }

 private:
  void add_chunk() {
    next = static_cast<char*>(::operator new(chunk_size, std::align_val_t{chunk_size}));
    end = next + chunk_size;
    ::madvise(next, chunk_size, MADV_HUGEPAGE);  // small pages serve as well, slower
  }
};

// Never destroyed: what it gave out may be given back by the last destructors of the process.
Chunks& chunks() {
  static auto* made = new Chunks;
  return *made;
}

constexpr bool singly(std::size_t size) { return !SLUICE_KEEP_BLOCKS || size > Slab::piece_max; }
constexpr std::size_t lines_of(std::size_t size) { return (size + Slab::line - 1) / Slab::line; }

}  // namespace

void* Slab::take(std::size_t size) {
  return singly(size) ? ::operator new(size, on_line) : chunks().take(lines_of(size));
}

void Slab::give(void* memory, std::size_t size) {
  if (singly(size)) return ::operator delete(memory, on_line);
  chunks().give(memory, lines_of(size));
}

}  // namespace sluice
