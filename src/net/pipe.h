// SPDX-License-Identifier: Apache-2.0
// A pipe of the kernel's, through which bytes go from one socket to another without being copied into this
// process (splice(2)). Pipes that are empty wait in a list of the thread for their next use, `spare_max` of
// them: a connection has one only while bytes are in it.
#pragma once
#include <cstddef>
#include <utility>

namespace sluice::net {

class Pipe {
 public:
  static constexpr std::size_t spare_max = 64;           // of a thread
  static constexpr std::size_t capacity =
      64 * 1024;  // Linux's own: more counts against a quota of the user's

  Pipe() = default;
  Pipe(Pipe&& other) noexcept { swap(other); }
  Pipe& operator=(Pipe&& other) noexcept {
    if (this != &other) {
      release();
      swap(other);
    }
    return *this;
  }
  ~Pipe() { release(); }

  // Takes a pipe if it has none; false when the system gives none, so that bytes have to be copied.
  bool need();
  // Gives it back; one that is not empty is closed.
  void release();
  int out() const { return ends_.out; }
  int in() const { return ends_.in; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void filled(std::size_t count) { size_ += count; }
  void consumed(std::size_t count) { size_ -= count; }

 private:
  struct Ends {
    int out = -1, in = -1;
  };
  struct Spare;
  static Spare& spare();
  void swap(Pipe& other) {
    std::swap(ends_, other.ends_);
    std::swap(size_, other.size_);
  }
  Ends ends_;
  std::size_t size_ = 0;
};

}  // namespace sluice::net
