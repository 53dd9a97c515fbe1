// SPDX-License-Identifier: Apache-2.0
// The floor of what a proxy of one connection a client can cost: bytes from one socket to another, two
// receives and two sends a request, nothing looked at. One thread, epoll.
//   bench_relay --upstream PORT      prints the port it listens on; ends with standard input
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace {

// One end of a pair.
struct End {
  int descriptor = -1;
  End* other = nullptr;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void watch(int epoll, End& end) {
  const int one = 1;
  setsockopt(end.descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = &end}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, end.descriptor, &event);
}

// Requests and answers of the bench are smaller than a socket's buffer: a send takes all of it.
void pass_on(End& from, char* bytes, std::size_t size) {
  for (;;) {
    const ssize_t count = recv(from.descriptor, bytes, size, MSG_DONTWAIT);
    if (count == 0) shutdown(from.other->descriptor, SHUT_WR);
    if (count <= 0) return;
    if (send(from.other->descriptor, bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL) != count) return;
    if (static_cast<std::size_t>(count) < size) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: bench_relay --upstream PORT\n", stderr), 2;
  const auto upstream = loopback(static_cast<std::uint16_t>(std::atoi(argv[2])));
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  auto own = loopback(0);
  socklen_t length = sizeof own;
  if (bind(listener, reinterpret_cast<sockaddr*>(&own), length) != 0 || listen(listener, 4096) != 0) return 1;
  getsockname(listener, reinterpret_cast<sockaddr*>(&own), &length);
  std::printf("%u\n", ntohs(own.sin_port));
  std::fflush(stdout);

  const int epoll = epoll_create1(0);
  End listening{listener, nullptr}, input{STDIN_FILENO, nullptr};
  for (End* end : {&listening, &input}) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = end}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, end->descriptor, &event);
  }
  static char bytes[65536];
  for (epoll_event events[64];;) {
    const int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      auto& end = *static_cast<End*>(events[i].data.ptr);
      if (&end == &input) return 0;
      if (&end != &listening) {
        pass_on(end, bytes, sizeof bytes);
        continue;
      }
      const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      const int server = socket(AF_INET, SOCK_STREAM, 0);
      if (client < 0 || connect(server, reinterpret_cast<const sockaddr*>(&upstream), sizeof upstream) != 0)
        return 1;
      auto* pair = new End[2]{{client, nullptr}, {server, nullptr}};  // as long as the program
      pair[0].other = &pair[1];
      pair[1].other = &pair[0];
      watch(epoll, pair[0]);
      watch(epoll, pair[1]);
    }
  }
}
