// SPDX-License-Identifier: Apache-2.0
// A bump allocator for what lives as long as one exchange: edited headers, rendered templates, small state.
// Nothing is freed singly; `clear` gives the blocks back to a list of the thread. Not for objects with
// destructors of their own, except through `make`, which runs them in reverse order at `clear`.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice {

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { clear(); }

  void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
    auto at = (reinterpret_cast<std::uintptr_t>(next_) + alignment - 1) & ~(alignment - 1);
    if (next_ == nullptr || at + size > reinterpret_cast<std::uintptr_t>(end_))
      return allocate_slow(size, alignment);
    next_ = reinterpret_cast<char*>(at + size);
    return reinterpret_cast<void*>(at);
  }

  // Uninitialised room for text.
  char* text(std::size_t size) { return static_cast<char*>(allocate(size, 1)); }

  std::string_view copy(std::string_view from) {
    if (from.empty()) return {};
    char* to = text(from.size());
    std::memcpy(to, from.data(), from.size());
    return {to, from.size()};
  }

  // The parts, one behind the other.
  template <class... Parts>
  std::string_view join(const Parts&... parts) {
    const std::string_view views[] = {std::string_view(parts)...};
    std::size_t size = 0;
    for (auto view : views) size += view.size();
    char* to = text(size);
    char* out = to;
    for (auto view : views) {
      if (!view.empty()) std::memcpy(out, view.data(), view.size());
      out += view.size();
    }
    return {to, size};
  }

  template <class T, class... Args>
  T* make(Args&&... args) {
    auto* object = new (allocate(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
    if constexpr (!std::is_trivially_destructible_v<T>) {
      auto* entry = static_cast<Finalizer*>(allocate(sizeof(Finalizer), alignof(Finalizer)));
      *entry = {[](void* p) { static_cast<T*>(p)->~T(); }, object, finalizers_};
      finalizers_ = entry;
    }
    return object;
  }

  template <class T>
  T* array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }

  void clear();

 private:
  struct Block {
    Block* next;
    std::size_t size;
  };
  struct Finalizer {
    void (*destroy)(void*);
    void* object;
    Finalizer* next;
  };
  void* allocate_slow(std::size_t size, std::size_t alignment);

  char* next_ = nullptr;
  char* end_ = nullptr;
  Block* blocks_ = nullptr;
  Finalizer* finalizers_ = nullptr;
};

}  // namespace sluice
