// SPDX-License-Identifier: Apache-2.0
#include "net/stream.h"

#include <algorithm>

#include "base/result.h"

namespace sluice::net {

Stream::Stream(async::Loop& loop)
    : loop_(loop),
      read_timer_(loop, &Stream::read_timed_out, this),
      write_timer_(loop, &Stream::write_timed_out, this) {}

Stream::~Stream() {
  if (gone_ != nullptr) *gone_ = true;
}

void Stream::finish(Waiter*& place) {
  Waiter* waiter = std::exchange(place, nullptr);
  waiter->awaiter_.resume();
}

void Stream::wake() {
  if (owner_ != nullptr) return owner_->wake();
  bool gone = false;
  gone_ = &gone;
  if (reader_ != nullptr && reader_->attempt()) {
    read_timer_.cancel();
    finish(reader_);
    if (gone) return;
  }
  if (writer_ != nullptr && writer_->attempt()) {
    write_timer_.cancel();
    finish(writer_);
    if (gone) return;
  }
  gone_ = nullptr;
  if (event_callback_ != nullptr && reader_ == nullptr && writer_ == nullptr) event_callback_(event_context_);
}

void Stream::read_timed_out(void* self) {
  auto& stream = *static_cast<Stream*>(self);
  if (stream.reader_ == nullptr) return;
  stream.reader_->result_ = -ETIMEDOUT;
  stream.finish(stream.reader_);
}

void Stream::write_timed_out(void* self) {
  auto& stream = *static_cast<Stream*>(self);
  if (stream.writer_ == nullptr) return;
  stream.writer_->result_ = -ETIMEDOUT;
  stream.finish(stream.writer_);
}

void Stream::Read::await_suspend(std::coroutine_handle<> awaiter) {
  SLUICE_CHECK(stream_.reader_ == nullptr);
  awaiter_ = awaiter;
  stream_.reader_ = this;
  stream_.read_timer_.set(deadline_);
}

void Stream::Readable::await_suspend(std::coroutine_handle<> awaiter) {
  SLUICE_CHECK(stream_.reader_ == nullptr);
  awaiter_ = awaiter;
  stream_.reader_ = this;
  stream_.read_timer_.set(deadline_);
}

void Stream::Writable::await_suspend(std::coroutine_handle<> awaiter) {
  SLUICE_CHECK(stream_.writer_ == nullptr);
  awaiter_ = awaiter;
  stream_.writer_ = this;
  stream_.write_timer_.set(deadline_);
}

Stream::Write Stream::write(std::string_view bytes, Duration patience) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return {*this, std::span(&piece, 1), patience};
}

Stream::Write::Write(Stream& stream, std::span<const iovec> pieces, Duration patience)
    : Waiter(stream), patience_(patience) {
  SLUICE_CHECK(pieces.size() <= pieces_max);
  for (const iovec& piece : pieces) {
    if (piece.iov_len > 0) pieces_[count_++] = piece;
  }
}

void Stream::Write::await_suspend(std::coroutine_handle<> awaiter) {
  SLUICE_CHECK(stream_.writer_ == nullptr);
  awaiter_ = awaiter;
  waiting_ = true;
  stream_.writer_ = this;
  stream_.write_timer_.set(after(stream_.loop_.now(), patience_));
}

bool Stream::Write::attempt() {
  while (first_ < count_) {
    const ssize_t written = stream_.try_write(&pieces_[first_], static_cast<int>(count_ - first_));
    if (written == -EAGAIN) return false;
    if (written < 0) {
      result_ = written;
      return true;
    }
    advance(static_cast<std::size_t>(written));
    if (waiting_) stream_.write_timer_.set(after(stream_.loop_.now(), patience_));
  }
  result_ = 0;
  return true;
}

void Stream::Write::advance(std::size_t written) {
  while (first_ < count_ && written >= pieces_[first_].iov_len) written -= pieces_[first_++].iov_len;
  if (written == 0) return;
  pieces_[first_].iov_base = static_cast<char*>(pieces_[first_].iov_base) + written;
  pieces_[first_].iov_len -= written;
}

}  // namespace sluice::net
