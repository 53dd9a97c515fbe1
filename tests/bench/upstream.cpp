// SPDX-License-Identifier: Apache-2.0
// The bench's upstream: one thread, epoll, answers every request with the same 200.
//   bench_upstream --port 0 --body 34
// Prints the port it got and serves until standard input ends.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>

#include "http_reader.h"
#include "options.h"

namespace {

struct Client {
  int socket;
  HttpReader reader;
  std::size_t owed = 0;  // responses not yet begun
  std::size_t sent = 0;  // bytes of the current response
};

class Upstream {
 public:
  Upstream(std::uint16_t port, std::size_t body) {
    response_ = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: " +
                std::to_string(body) + "\r\n\r\n" + std::string(body, 'x');
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 4096) != 0)
      Options::fail("bench_upstream cannot listen on port " + std::to_string(port));
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    watch(listener_);
    watch(STDIN_FILENO);
  }

  void run() {
    epoll_event events[256];
    while (running_) {
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int at = 0; at < count; at++) handle(events[at].data.fd);
    }
  }

 private:
  void watch(int descriptor) {
    epoll_event event{};
    event.events =
        descriptor == listener_ || descriptor == STDIN_FILENO ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.fd = descriptor;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }
  void handle(int descriptor) {
    if (descriptor == listener_) return accept_all();
    if (descriptor == STDIN_FILENO) {
      char buffer[64];
      running_ = read(STDIN_FILENO, buffer, sizeof buffer) > 0;
      return;
    }
    auto found = clients_.find(descriptor);
    if (found != clients_.end() && !serve(*found->second)) {
      close(descriptor);
      clients_.erase(found);
    }
  }
  void accept_all() {
    for (;;) {
      const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (socket < 0) return;
      const int on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      clients_[socket] = std::make_unique<Client>(Client{.socket = socket, .reader = {}});
      watch(socket);
    }
  }
  bool serve(Client& client) {
    for (;;) {
      const ssize_t got = recv(client.socket, buffer_, sizeof buffer_, 0);
      if (got == 0) return false;
      if (got < 0) {
        if (errno != EAGAIN) return false;
        break;
      }
      for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
        at += client.reader.take(buffer_ + at, static_cast<std::size_t>(got) - at);
        if (!client.reader.done()) continue;
        client.owed++;
        client.reader.next();
      }
      if (static_cast<std::size_t>(got) < sizeof buffer_) break;
    }
    return send_owed(client);
  }
  bool send_owed(Client& client) {
    while (client.owed > 0) {
      const std::size_t left = response_.size() - client.sent;
      const ssize_t sent = send(client.socket, response_.data() + client.sent, left, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      client.sent += static_cast<std::size_t>(sent);
      if (client.sent < response_.size()) continue;
      client.sent = 0;
      client.owed--;
    }
    return true;
  }

  int epoll_ = epoll_create1(EPOLL_CLOEXEC), listener_ = -1;
  bool running_ = true;
  std::string response_;
  std::unordered_map<int, std::unique_ptr<Client>> clients_;
  char buffer_[65536];
};

}  // namespace

int main(int count, char** words) {
  Options options(count, words);
  const auto port = static_cast<std::uint16_t>(options.number("port", 0));
  const auto body = static_cast<std::size_t>(options.number("body", 34));
  options.nothing_left();
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  auto upstream = std::make_unique<Upstream>(port, body);
  upstream->run();
  return 0;
}
