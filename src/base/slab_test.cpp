// SPDX-License-Identifier: Apache-2.0
#include "base/slab.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/block_cache.h"

namespace sluice {
namespace {

TEST(Slab, PiecesBeginOnALineAndDoNotOverlap) {
  struct Piece {
    unsigned char* memory;
    std::size_t size;
  };
  std::vector<Piece> pieces;
  for (std::size_t size = 1; size < 2000; size += 37) {
    auto* memory = static_cast<unsigned char*>(Slab::take(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % Slab::line, 0u);
    std::memset(memory, static_cast<int>(size % 251), size);
    pieces.push_back({memory, size});
  }
  for (const Piece& piece : pieces) {
    for (std::size_t i = 0; i < piece.size; ++i) ASSERT_EQ(piece.memory[i], piece.size % 251);
    Slab::give(piece.memory, piece.size);
  }
}

TEST(Slab, WhatIsGivenBackServesTheNextOfItsSize) {
  if (!SLUICE_KEEP_BLOCKS) GTEST_SKIP() << "a sanitizer's build keeps nothing";
  void* first = Slab::take(100);
  void* second = Slab::take(200);
  EXPECT_NE(first, second);
  Slab::give(first, 100);
  EXPECT_NE(Slab::take(200), first);
  EXPECT_EQ(Slab::take(128), first);
}

TEST(Slab, ThreadsShareIt) {
  std::vector<std::set<void*>> taken(4);
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 1000; ++i) {
        void* piece = Slab::take(64);
        if (i % 3 == 0) Slab::give(piece, 64);
        else mine.insert(piece);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<void*> all;
  std::size_t count = 0;
  for (auto& mine : taken) {
    count += mine.size();
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), count);
  for (void* piece : all) Slab::give(piece, 64);
}

TEST(Slab, HoldsSharedObjectsOfAnyAlignment) {
  struct alignas(Slab::line) Wide {
    char text[100] = "here";
  };
  auto made = std::allocate_shared<Wide>(SlabAllocator<Wide>());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(made.get()) % Slab::line, 0u);
  EXPECT_STREQ(made->text, "here");
}

}  // namespace
}  // namespace sluice
