// SPDX-License-Identifier: Apache-2.0
// A connection as the protocols see it: read and write are tried first and waited for only when the kernel
// refuses. TCP, TLS and the in-memory loopback are streams. A stream belongs to one frame or connection
// object on one loop; at most one read and one write wait at a time. Results are counts, or negative errno
// values: an error object is made by whoever knows what the bytes were for.
#pragma once
#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <coroutine>
#include <memory>
#include <span>
#include <string_view>

#include "async/loop.h"
#include "base/address.h"

namespace sluice::net {

// Bytes to move at once where there are many. With a head before them they are one segment of the loopback
// device, whose packets hold 64 KiB: 64 KiB of bytes would be that and a tiny one more, which wakes the
// reader again and costs twice as much.
inline constexpr std::size_t transfer_size = 60 * 1024;

class Stream {
 public:
  explicit Stream(async::Loop& loop);
  Stream(const Stream&) = delete;
  virtual ~Stream();

  // Bytes read, 0 at the end, -EAGAIN when there are none yet, another negative errno when it broke.
  virtual ssize_t try_read(char* into, std::size_t size) = 0;
  // Bytes written, perhaps fewer than given; -EAGAIN; another negative errno.
  virtual ssize_t try_write(const iovec* pieces, int count) = 0;
  // Says that no more will be written; the other direction stays open.
  virtual void shutdown_write() = 0;
  // Whether a read may find something, the end included.
  virtual bool maybe_readable() const = 0;
  virtual bool maybe_writable() const = 0;
  // Whether both directions are known to have ended.
  virtual bool broken() const = 0;
  // Asks the system whether an idle connection is still there with nothing to read: costs a call, and tells
  // what no event has told yet.
  virtual bool idle_and_whole() { return !maybe_readable() && !broken(); }
  // Bytes that a read would find, left where they are, with the results of try_read. `no_news` says that
  // those seen are not enough: the stream is readable again when there are more.
  virtual ssize_t try_peek(char*, std::size_t) { return -EOPNOTSUPP; }
  virtual void no_news() {}
  virtual bool secure() const { return false; }
  // What the handshake found out; null when the connection is not secure.
  virtual const class TlsFacts* tls() const { return nullptr; }

  class Read;
  class Readable;
  class Write;
  // Waits for bytes and reads them: count, 0 at the end, -ETIMEDOUT, another negative errno.
  Read read(char* into, std::size_t size, Instant deadline);
  // Waits until a read may find something: 0, or -ETIMEDOUT.
  Readable readable(Instant deadline);
  // Waits until a write may be taken: 0, or -ETIMEDOUT.
  class Writable;
  Writable writable(Instant deadline);
  // Writes all of the pieces: 0, -ETIMEDOUT when the peer took nothing for `patience`, another negative
  // errno.
  Write write(std::span<const iovec> pieces, Duration patience);
  Write write(std::string_view bytes, Duration patience);

  // Called, from the loop's top level, when something happened while nobody was reading or writing: look at
  // `broken` and `maybe_readable`. It may destroy the stream.
  void on_event(void (*callback)(void*), void* context) {
    event_callback_ = callback;
    event_context_ = context;
  }
  // A wrapping stream (TLS) takes over the wake-ups of the one below.
  void set_owner(Stream* owner) { owner_ = owner; }

  async::Loop& loop() const { return loop_; }

 protected:
  // Something changed: tries again what waits.
  void wake();

 private:
  class Waiter;
  static void read_timed_out(void* self);
  static void write_timed_out(void* self);
  void finish(Waiter*& place);

  async::Loop& loop_;
  Stream* owner_ = nullptr;
  Waiter* reader_ = nullptr;
  Waiter* writer_ = nullptr;
  bool* gone_ = nullptr;  // tells a running `wake` that the stream was destroyed under it
  void (*event_callback_)(void*) = nullptr;
  void* event_context_ = nullptr;
  async::Timer read_timer_, write_timer_;
};

// What waits on a stream: tried again at each wake-up, unregistered when its frame dies.
class Stream::Waiter {
 public:
  Waiter(const Waiter&) = delete;

 protected:
  explicit Waiter(Stream& stream) : stream_(stream) {}
  ~Waiter() = default;
  // True when there is a result.
  virtual bool attempt() = 0;

  friend class Stream;
  Stream& stream_;
  std::coroutine_handle<> awaiter_;
  ssize_t result_ = 0;
};

class Stream::Read final : Waiter {
 public:
  Read(Stream& stream, char* into, std::size_t size, Instant deadline)
      : Waiter(stream), into_(into), size_(size), deadline_(deadline) {}
  ~Read() {
    if (stream_.reader_ == this) stream_.reader_ = nullptr;
  }
  bool await_ready() { return stream_.maybe_readable() && attempt(); }
  void await_suspend(std::coroutine_handle<> awaiter);
  ssize_t await_resume() const { return result_; }

 private:
  bool attempt() override {
    result_ = stream_.try_read(into_, size_);
    return result_ != -EAGAIN;
  }
  char* into_;
  std::size_t size_;
  Instant deadline_;
};

class Stream::Readable final : Waiter {
 public:
  Readable(Stream& stream, Instant deadline) : Waiter(stream), deadline_(deadline) {}
  ~Readable() {
    if (stream_.reader_ == this) stream_.reader_ = nullptr;
  }
  bool await_ready() { return attempt(); }
  void await_suspend(std::coroutine_handle<> awaiter);
  ssize_t await_resume() const { return result_; }

 private:
  bool attempt() override { return stream_.maybe_readable(); }
  Instant deadline_;
};

class Stream::Writable final : Waiter {
 public:
  Writable(Stream& stream, Instant deadline) : Waiter(stream), deadline_(deadline) {}
  ~Writable() {
    if (stream_.writer_ == this) stream_.writer_ = nullptr;
  }
  bool await_ready() { return attempt(); }
  void await_suspend(std::coroutine_handle<> awaiter);
  ssize_t await_resume() const { return result_; }

 private:
  bool attempt() override { return stream_.maybe_writable(); }
  Instant deadline_;
};

class Stream::Write final : Waiter {
 public:
  static constexpr std::size_t pieces_max = 8;

  Write(Stream& stream, std::span<const iovec> pieces, Duration patience);
  ~Write() {
    if (stream_.writer_ == this) stream_.writer_ = nullptr;
  }
  bool await_ready() { return attempt(); }
  void await_suspend(std::coroutine_handle<> awaiter);
  ssize_t await_resume() const { return result_; }
  // So many bytes are written already.
  void advance(std::size_t written);

 private:
  bool attempt() override;
  std::array<iovec, pieces_max> pieces_;
  std::size_t first_ = 0, count_ = 0;
  Duration patience_;
  bool waiting_ = false;
};

inline Stream::Read Stream::read(char* into, std::size_t size, Instant deadline) {
  return {*this, into, size, deadline};
}
inline Stream::Readable Stream::readable(Instant deadline) { return {*this, deadline}; }
inline Stream::Writable Stream::writable(Instant deadline) { return {*this, deadline}; }
inline Stream::Write Stream::write(std::span<const iovec> pieces, Duration patience) {
  return {*this, pieces, patience};
}

}  // namespace sluice::net
