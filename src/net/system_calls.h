// SPDX-License-Identifier: Apache-2.0
// The calls of the data path as the kernel has them: a count, or a negative errno. The C library's functions
// of these names are points at which a thread may be cancelled, and pay two locked instructions for it each
// time in a process of several threads; here no thread is ever cancelled. And each return on the way back is
// mispredicted, since the kernel leaves nothing of what the processor knew of returns: so there is none.
#pragma once
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::net {
namespace detail {

[[gnu::always_inline]] inline ssize_t call(long number, long first, long second, long third, long fourth) {
#if defined(__x86_64__)
  long result;
  register long in_r10 asm("r10") = fourth;
  register long in_r8 asm("r8") = 0;
  register long in_r9 asm("r9") = 0;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(first), "S"(second), "d"(third), "r"(in_r10), "r"(in_r8), "r"(in_r9)
               : "rcx", "r11", "memory");
  return result;
#else
  const long result = ::syscall(number, first, second, third, fourth, 0, 0);
  return result < 0 ? -errno : result;
#endif
}

inline long word(const void* pointer) { return reinterpret_cast<long>(pointer); }

}  // namespace detail

inline ssize_t receive(int descriptor, void* into, std::size_t size) {
  return detail::call(SYS_recvfrom, descriptor, detail::word(into), static_cast<long>(size), 0);
}

inline ssize_t send_bytes(int descriptor, const void* bytes, std::size_t size) {
  return detail::call(SYS_sendto, descriptor, detail::word(bytes), static_cast<long>(size), MSG_NOSIGNAL);
}

inline ssize_t send_pieces(int descriptor, const msghdr& pieces) {
  return detail::call(SYS_sendmsg, descriptor, detail::word(&pieces), MSG_NOSIGNAL, 0);
}

}  // namespace sluice::net
