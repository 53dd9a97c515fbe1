// SPDX-License-Identifier: Apache-2.0
// The calls of the data path as the kernel has them. The C library's functions of these names are points at
// which a thread may be cancelled, and pay two locked instructions for it each time in a process of several
// threads; here no thread is ever cancelled. Results and errno are as always.
#pragma once
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sluice::net {

inline ssize_t receive(int descriptor, void* into, std::size_t size) {
  return ::syscall(SYS_recvfrom, descriptor, into, size, 0, nullptr, nullptr);
}

inline ssize_t send_bytes(int descriptor, const void* bytes, std::size_t size) {
  return ::syscall(SYS_sendto, descriptor, bytes, size, MSG_NOSIGNAL, nullptr, 0);
}

inline ssize_t send_pieces(int descriptor, const msghdr& pieces) {
  return ::syscall(SYS_sendmsg, descriptor, &pieces, MSG_NOSIGNAL);
}

}  // namespace sluice::net
