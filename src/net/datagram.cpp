// SPDX-License-Identifier: Apache-2.0
#include "net/datagram.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/network.h"

namespace sluice::net {
namespace {

// Room for the address that a datagram came to, of either family.
union Control {
  cmsghdr aligned;
  char bytes[CMSG_SPACE(sizeof(in6_pktinfo))];
};

std::optional<IpAddress> local_of(msghdr& message) {
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(each), sizeof info);
      return IpAddress::v4(ntohl(info.ipi_addr.s_addr));
    }
    if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(each), sizeof info);
      return IpAddress::v6(info.ipi6_addr.s6_addr);
    }
  }
  return std::nullopt;
}

template <class Info>
void put(msghdr& message, Control& control, int level, int type, const Info& info) {
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = level;
  head->cmsg_type = type;
  head->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(head), &info, sizeof info);
}

void send_from(msghdr& message, Control& control, const IpAddress& local) {
  if (local.is_v4()) {
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(local.v4_value());
    return put(message, control, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  local.bytes(info.ipi6_addr.s6_addr);
  put(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

Result<int> made_socket(const sockaddr_storage& address) {
  const int descriptor = ::socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return fail(ErrorKind::system, system_message("socket", errno));
  return descriptor;
}

}  // namespace

Result<int> datagram_socket(const Endpoint& at, bool reuse_port) {
  sockaddr_storage address{};
  const socklen_t size = at.to_sockaddr(address);
  const auto made = made_socket(address);
  if (!made) return made;
  const int on = 1;
  if (reuse_port) ::setsockopt(*made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (at.address.is_v6()) {
    ::setsockopt(*made, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    ::setsockopt(*made, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  } else {
    ::setsockopt(*made, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  }
  if (::bind(*made, reinterpret_cast<sockaddr*>(&address), size) == 0) return made;
  const int error = errno;
  ::close(*made);
  return fail(ErrorKind::system, system_message("listen on " + at.text() + " for datagrams", error));
}

Result<std::unique_ptr<DatagramSocket>> DatagramSocket::bound(async::Loop& loop, int descriptor,
                                                              const Endpoint& at) {
  std::unique_ptr<DatagramSocket> made(new DatagramSocket(loop, descriptor, bound_to(descriptor, at)));
  if (!made->watch()) return fail(ErrorKind::system, system_message("epoll_ctl", errno));
  return made;
}

Result<std::unique_ptr<DatagramSocket>> DatagramSocket::connected(async::Loop& loop, const Endpoint& to) {
  sockaddr_storage address{};
  const socklen_t size = to.to_sockaddr(address);
  const auto descriptor = made_socket(address);
  if (!descriptor) return std::unexpected(descriptor.error());
  std::unique_ptr<DatagramSocket> made(new DatagramSocket(loop, *descriptor, to));
  if (::connect(*descriptor, reinterpret_cast<sockaddr*>(&address), size) != 0)
    return std::unexpected(
        Error{ErrorKind::system, Fault::peer, system_message("connect to " + to.text(), errno), true});
  if (!made->watch()) return fail(ErrorKind::system, system_message("epoll_ctl", errno));
  return made;
}

DatagramSocket::~DatagramSocket() {
  stop_receiving();
  ::close(descriptor_);
}

bool DatagramSocket::watch() {
  handle_ = loop_.watch(descriptor_, *this);
  return handle_ != async::Loop::no_handle;
}

void DatagramSocket::stop_receiving() {
  if (handle_ != async::Loop::no_handle) loop_.unwatch(handle_, descriptor_);
  handle_ = async::Loop::no_handle;
}

void DatagramSocket::on_ready(std::uint32_t) {
  if (callback_ != nullptr) callback_(context_);
}

ssize_t DatagramSocket::receive(std::span<char> into, Ends& ends) {
  sockaddr_storage from{};
  iovec piece{into.data(), into.size()};
  Control control;
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  const ssize_t count = ::recvmsg(descriptor_, &message, 0);
  if (count < 0) return errno == EINTR ? -EAGAIN : -errno;
  ends.peer = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&from)).value_or(Endpoint{});
  ends.local = local_of(message).value_or(at_.address);
  return count;
}

ssize_t DatagramSocket::receive(std::span<char> into) {
  const ssize_t count = ::recv(descriptor_, into.data(), into.size(), 0);
  return count >= 0 ? count : errno == EINTR ? -EAGAIN : -errno;
}

ssize_t DatagramSocket::send(std::string_view bytes, const Ends& ends) {
  sockaddr_storage to{};
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  Control control{};
  msghdr message{};
  message.msg_namelen = ends.peer.to_sockaddr(to);
  message.msg_name = &to;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  send_from(message, control, ends.local);
  const ssize_t count = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
  return count >= 0 ? count : -errno;
}

ssize_t DatagramSocket::send(std::string_view bytes) {
  const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return count >= 0 ? count : -errno;
}

}  // namespace sluice::net
