// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "async/join.h"
#include "net/network.h"
#include "net/reset.h"
#include "net/system_calls.h"
#include "net/tls_stream.h"

namespace sluice::net {
namespace {

class TcpStream final : public Stream, public async::Pollable {
 public:
  TcpStream(async::Loop& loop, int descriptor, bool connected)
      : Stream(loop), descriptor_(descriptor), can_write_(connected) {}
  ~TcpStream() {
    if (handle_ != async::Loop::no_handle) loop().unwatch(handle_, descriptor_);
    ::close(descriptor_);
  }

  void reset_when_closed() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  bool watch() {
    handle_ = loop().watch(descriptor_, *this);
    return handle_ != async::Loop::no_handle;
  }

  ssize_t try_read(char* into, std::size_t size) override {
    if (!can_read_) return -EAGAIN;
    const ssize_t count = receive(descriptor_, into, size);
    if (count < 0) {
      if (count == -EAGAIN) can_read_ = false;
      return count == -EINTR ? -EAGAIN : count;
    }
    // Less than asked for means drained, and an edge will come with the next byte, unless the end is already
    // known.
    if (static_cast<std::size_t>(count) < size && count > 0 && !ending_) can_read_ = false;
    return count;
  }

  ssize_t try_write(const iovec* pieces, int count) override {
    if (!can_write_) return -EAGAIN;
    ssize_t written;
    if (count == 1) {
      written = send_bytes(descriptor_, pieces->iov_base, pieces->iov_len);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces);
      message.msg_iovlen = static_cast<std::size_t>(count);
      written = send_pieces(descriptor_, message);
    }
    if (written >= 0) return written;
    if (written == -EAGAIN) can_write_ = false;
    return written == -EINTR ? -EAGAIN : written;
  }

  ssize_t try_peek(char* into, std::size_t size) override {
    if (!can_read_) return -EAGAIN;
    const ssize_t count = ::recv(descriptor_, into, size, MSG_PEEK);
    if (count >= 0) return count;
    if (errno == EAGAIN) can_read_ = false;
    return errno == EINTR ? -EAGAIN : -errno;
  }
  // Each arrival of bytes is an edge, also while older ones are unread.
  void no_news() override { can_read_ = ending_; }

  void shutdown_write() override { ::shutdown(descriptor_, SHUT_WR); }
  bool maybe_readable() const override { return can_read_; }
  bool maybe_writable() const override { return can_write_; }
  bool broken() const override { return broken_; }
  bool idle_and_whole() override {
    char byte;
    return !broken_ && ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  int descriptor() const { return descriptor_; }
  bool connected() const { return can_write_; }

  void on_ready(std::uint32_t events) override {
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ending_ = true;
    if (events & (EPOLLHUP | EPOLLERR)) broken_ = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) can_read_ = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) can_write_ = true;
    if (connecting_ != nullptr) {
      if (can_write_) std::exchange(connecting_, nullptr).resume();
      return;
    }
    wake();
  }

  // Waits for the end of a connect, whichever way.
  struct Connected {
    TcpStream& stream;
    explicit Connected(TcpStream& connecting) : stream(connecting) {}
    ~Connected() { stream.connecting_ = nullptr; }
    bool await_ready() const { return stream.can_write_; }
    void await_suspend(std::coroutine_handle<> awaiter) { stream.connecting_ = awaiter; }
    void await_resume() const {}
  };

 private:
  int descriptor_;
  bool can_read_ = false;
  bool can_write_;
  bool ending_ = false;
  bool broken_ = false;
  std::coroutine_handle<> connecting_;
  async::Loop::Handle handle_ = async::Loop::no_handle;
};

void set_no_delay(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

class TcpListener final : public Listener, public async::Pollable {
 public:
  TcpListener(async::Loop& loop, int descriptor, Endpoint at, Network::OnAccept on_accept)
      : loop_(loop), descriptor_(descriptor), endpoint_(at), on_accept_(std::move(on_accept)),
        retry_(loop, [](void* self) { static_cast<TcpListener*>(self)->accept_all(); }, this) {}
  ~TcpListener() {
    if (handle_ != async::Loop::no_handle) loop_.unwatch(handle_, descriptor_);
    ::close(descriptor_);
  }
  bool watch() {
    handle_ = loop_.watch(descriptor_, *this);
    return handle_ != async::Loop::no_handle;
  }
  Endpoint endpoint() const override { return endpoint_; }
  void on_ready(std::uint32_t) override { accept_all(); }

 private:
  void accept_all() {
    for (;;) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      const int descriptor =
          ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor >= 0) {
        take(descriptor, peer);
        continue;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) {
        log::error(
            "{}: cannot accept connections ({}); trying again in 100 ms. Raise the limit of open files "
            "(nginx_config.worker_rlimit_nofile) if it goes on",
            endpoint_.text(), system_message("accept", errno));
        retry_.set(after(loop_.now(), std::chrono::milliseconds(100)));
      }
      return;
    }
  }

  void take(int descriptor, const sockaddr_storage& peer) {
    auto stream = std::make_unique<TcpStream>(loop_, descriptor, true);
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &size);
    if (!stream->watch()) return;
    auto from = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer));
    auto to = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&local));
    on_accept_({std::move(stream), from.value_or(Endpoint{}), to.value_or(endpoint_)});
  }

  async::Loop& loop_;
  int descriptor_;
  Endpoint endpoint_;
  Network::OnAccept on_accept_;
  async::Timer retry_;
  async::Loop::Handle handle_ = async::Loop::no_handle;
};

class SystemNetwork final : public Network {
 public:
  Result<std::unique_ptr<Listener>> listen(async::Loop& loop, Endpoint at, ListenOptions options,
                                           OnAccept on_accept) override {
    int descriptor = options.descriptor;
    if (descriptor < 0) {
      auto made = listening_socket(at, options);
      if (!made) return std::unexpected(made.error());
      descriptor = *made;
    }
    auto listener =
        std::make_unique<TcpListener>(loop, descriptor, bound_to(descriptor, at), std::move(on_accept));
    if (!listener->watch()) return fail(ErrorKind::system, system_message("epoll_ctl", errno));
    return listener;
  }

  async::Task<Result<std::unique_ptr<Stream>>> connect(async::Loop& loop, Endpoint to,
                                                       Instant deadline) override;
};

async::Task<> wait_connected(TcpStream& stream) { co_await TcpStream::Connected(stream); }
async::Task<> wait_until(async::Loop& loop, Instant deadline) { co_await loop.sleep_until(deadline); }

async::Task<Result<std::unique_ptr<Stream>>> SystemNetwork::connect(async::Loop& loop, Endpoint to,
                                                                    Instant deadline) {
  sockaddr_storage address{};
  const socklen_t size = to.to_sockaddr(address);
  const int descriptor = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) co_return fail(ErrorKind::system, system_message("socket", errno));
  set_no_delay(descriptor);
  const int started = ::connect(descriptor, reinterpret_cast<sockaddr*>(&address), size);
  const int error = started == 0 ? 0 : errno;
  auto stream = std::make_unique<TcpStream>(loop, descriptor, started == 0);
  const auto failed = [&to](int number) {
    return Error{number == ECONNREFUSED ? ErrorKind::refused : ErrorKind::system, Fault::peer,
                 system_message("connect to " + to.text(), number), true};
  };
  if (error != 0 && error != EINPROGRESS) co_return std::unexpected(failed(error));
  if (!stream->watch()) co_return fail(ErrorKind::system, system_message("epoll_ctl", errno));
  if (!stream->connected()) {
    auto first = co_await async::first_of(wait_connected(*stream), wait_until(loop, deadline));
    if (first.index() == 1) {
      co_return std::unexpected(
          Error{ErrorKind::timeout, Fault::peer, "connect to " + to.text() + " timed out", true});
    }
  }
  int outcome = 0;
  socklen_t outcome_size = sizeof outcome;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &outcome, &outcome_size);
  if (outcome != 0) co_return std::unexpected(failed(outcome));
  co_return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace

void reset_when_closed(Stream& stream) {
  if (auto* secure = dynamic_cast<TlsStream*>(&stream)) return reset_when_closed(secure->below());
  if (auto* plain = dynamic_cast<TcpStream*>(&stream)) plain->reset_when_closed();
}

Result<int> listening_socket(const Endpoint& at, const ListenOptions& options) {
  sockaddr_storage address{};
  const socklen_t size = at.to_sockaddr(address);
  const int descriptor = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return fail(ErrorKind::system, system_message("socket", errno));
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options.reuse_port) ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (at.address.is_v6() && options.ipv6_only)
    ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  set_no_delay(descriptor);  // accepted sockets inherit it
  if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      ::listen(descriptor, options.backlog) == 0) {
    return descriptor;
  }
  const int error = errno;
  ::close(descriptor);
  return fail(ErrorKind::system, system_message("listen on " + at.text(), error));
}

Endpoint bound_to(int descriptor, const Endpoint& asked) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size);
  return Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&bound)).value_or(asked);
}

Network& Network::system() {
  static SystemNetwork network;
  return network;
}

}  // namespace sluice::net
