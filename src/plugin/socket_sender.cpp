// SPDX-License-Identifier: Apache-2.0
#include "plugin/socket_sender.h"

#include "base/log.h"

namespace sluice::plugin {
namespace {

constexpr Duration full_pause =
    std::chrono::milliseconds(1);  // before what the system did not take is offered again

}  // namespace

ConnectTo SocketSender::address() const {
  return {.host = to_.host,
          .port = to_.port,
          .tls = to_.tls,
          .verify = to_.verify,
          .deadline = after(worker_.loop.now(), to_.timeout)};
}

Error SocketSender::failed(ssize_t error) const {
  const auto where = to_.host + ":" + std::to_string(to_.port);
  if (error == -ETIMEDOUT) return {ErrorKind::timeout, Fault::peer, where + " takes nothing", true};
  return {ErrorKind::reset, Fault::peer, system_message("send to " + where, static_cast<int>(-error)), true};
}

async::Task<Result<>> SocketSender::send(const std::vector<std::string>& texts) {
  if (to_.type == SocketType::udp) return send_datagrams(texts);
  return send_stream(texts);
}

async::Task<Result<>> SocketSender::connect() {
  auto connecting = worker_.connect(address());
  auto stream = co_await connecting;
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  stream_ = std::move(*stream);
  co_return Result<>();
}

// A connection that the server has ended in the meantime may show it only now: once more, over a new one.
async::Task<Result<>> SocketSender::send_stream(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const std::string& text : texts) bytes += text;
  if (stream_ != nullptr && !stream_->idle_and_whole()) stream_.reset();
  for (bool fresh = stream_ == nullptr;; fresh = true) {
    if (fresh) {
      auto connected = co_await connect();
      if (!connected) co_return connected;
    }
    const ssize_t written = co_await stream_->write(bytes, to_.timeout);
    if (written >= 0) co_return Result<>();
    stream_.reset();
    if (fresh) co_return Result<>(std::unexpected(failed(written)));
  }
}

async::Task<Result<>> SocketSender::send_datagrams(const std::vector<std::string>& texts) {
  auto connecting = worker_.connect_datagrams(address());
  const auto socket = co_await connecting;
  if (!socket) co_return std::unexpected(socket.error());
  const Instant deadline = after(worker_.loop.now(), to_.timeout);
  for (const std::string& text : texts) {
    ssize_t sent = (*socket)->send(text);
    while (sent == -EAGAIN && worker_.loop.now() < deadline) {
      co_await worker_.loop.sleep(full_pause);
      sent = (*socket)->send(text);
    }
    if (sent >= 0) continue;
    if (sent != -EMSGSIZE) co_return std::unexpected(failed(sent == -EAGAIN ? -ETIMEDOUT : sent));
    log::error("a log entry of {} bytes was left out: a datagram to {}:{} carries {} at most; use TCP",
               text.size(), to_.host, to_.port, datagram_bytes_max);
  }
  co_return Result<>();
}

}  // namespace sluice::plugin
