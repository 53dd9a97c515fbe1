// SPDX-License-Identifier: Apache-2.0
// A read buffer: 16 KiB from a free list of the thread, held only while there is something in it, so an idle
// connection has none. It can grow once, for a head that does not fit. Belongs to one connection or exchange;
// moving it hands the bytes over without copying them.
#pragma once
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace sluice::net {

class Buffer {
 public:
  static constexpr std::size_t standard_size = 16 * 1024;

  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      swap(other);
    }
    return *this;
  }
  ~Buffer() { release(); }

  bool held() const { return memory_ != nullptr; }
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  char* data() const { return memory_ + begin_; }
  std::string_view view() const { return {data(), size()}; }
  char* tail() const { return memory_ + end_; }
  std::size_t room() const { return capacity_ - end_; }
  std::size_t capacity() const { return capacity_; }

  // Takes memory if it has none.
  void need(std::size_t capacity = standard_size) {
    if (memory_ == nullptr) take(capacity);
  }
  void release() {
    if (memory_ != nullptr) give_back();
  }
  void filled(std::size_t count) { end_ += count; }
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Takes bytes off the front without ever starting over: views into the buffer stay valid.
  void skip(std::size_t count) { begin_ += count; }
  void truncate(std::size_t size) { end_ = begin_ + size; }
  // Moves the bytes to the front.
  void compact();
  // Into memory of `capacity` bytes; views into the old memory are gone.
  void grow(std::size_t capacity);

 private:
  void take(std::size_t capacity);
  void give_back();
  void swap(Buffer& other) {
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }
  char* memory_ = nullptr;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace sluice::net
