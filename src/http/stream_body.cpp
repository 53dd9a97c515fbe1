// SPDX-License-Identifier: Apache-2.0
#include "http/stream_body.h"

#include <algorithm>
#include <cstring>

#include "http/bytes.h"

namespace sluice::http {
namespace {

constexpr std::size_t chunk_head_max = 256;  // size, extensions and CRLF; extensions are read over
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

bool StreamBody::wholly_buffered() const {
  if (ended_) return true;
  return options_.framing == BodyFraming::length && static_cast<std::int64_t>(rest_.size()) >= left_;
}

std::optional<std::string_view> StreamBody::whole() const {
  if (bytes_read_ > 0 || options_.framing != BodyFraming::length || !wholly_buffered()) return std::nullopt;
  return rest_.view().substr(0, static_cast<std::size_t>(left_));
}

async::Task<Result<std::string_view>> StreamBody::next() {
  if (ended_) return Result<std::string_view>(std::string_view());
  net::Buffer& buffer = current();
  if (!buffer.empty()) {
    auto piece = take(buffer);
    if (!piece || !piece->empty() || ended_) return piece;
  }
  return wait_next();
}

async::Task<Result<std::string_view>> StreamBody::wait_next() {
  if (options_.send_continue) {
    options_.send_continue = false;
    const ssize_t sent = co_await stream_.write(go_on, options_.patience);
    if (sent < 0) co_return broken(sent);
  }
  for (;;) {
    // What is left is part of a chunk's head: it has to be whole in one buffer.
    if (!rest_.empty()) {
      own_.need(net::transfer_size);
      std::memcpy(own_.tail(), rest_.data(), rest_.size());
      own_.filled(rest_.size());
      rest_.skip(rest_.size());
    }
    const std::int64_t wanted = options_.framing == BodyFraming::length ? left_ : INT64_MAX;
    own_.need(wanted <= static_cast<std::int64_t>(net::Buffer::standard_size) ? net::Buffer::standard_size
                                                                              : net::transfer_size);
    own_.compact();
    const ssize_t count =
        co_await stream_.read(own_.tail(), own_.room(), after(stream_.loop().now(), options_.patience));
    if (count == 0 && options_.framing == BodyFraming::until_close) {
      ended_ = true;
      co_return std::string_view();
    }
    if (count <= 0) co_return broken(count);
    own_.filled(static_cast<std::size_t>(count));
    auto piece = take(own_);
    if (!piece || !piece->empty() || ended_) co_return piece;
  }
}

Result<std::string_view> StreamBody::take(net::Buffer& buffer) {
  if (options_.framing == BodyFraming::chunked) return take_chunked(buffer);
  std::size_t size = buffer.size();
  if (options_.framing == BodyFraming::length) {
    size = static_cast<std::size_t>(std::min<std::int64_t>(left_, static_cast<std::int64_t>(size)));
    left_ -= static_cast<std::int64_t>(size);
    ended_ = left_ == 0;
  }
  const std::string_view piece(buffer.data(), size);
  buffer.skip(size);
  if (auto counted = count(size); !counted) return std::unexpected(counted.error());
  return piece;
}

// Joins the data of every chunk in the buffer into one piece, over the chunk heads between them.
Result<std::string_view> StreamBody::take_chunked(net::Buffer& buffer) {
  char* const start = buffer.data();
  char* out = nullptr;  // where the piece ends
  char* piece_start = start;
  while (!ended_ && !buffer.empty()) {
    if (chunk_ == Chunk::head) {
      auto read = read_chunk_head(buffer);
      if (!read) return std::unexpected(read.error());
      if (!*read) break;
    } else if (chunk_ == Chunk::data) {
      const auto size = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(left_));
      if (out == nullptr) out = piece_start = buffer.data();
      if (out != buffer.data()) std::memmove(out, buffer.data(), size);
      out += size;
      buffer.skip(size);
      left_ -= static_cast<std::int64_t>(size);
      if (left_ == 0) chunk_ = Chunk::data_end;
    } else if (chunk_ == Chunk::data_end) {
      if (buffer.size() < 2) {
        if (buffer.data()[0] != '\r')
          return fail(ErrorKind::protocol, "a chunk without its CRLF", options_.fault);
        break;
      }
      if (buffer.data()[0] != '\r' || buffer.data()[1] != '\n') {
        return fail(ErrorKind::protocol, "a chunk without its CRLF", options_.fault);
      }
      buffer.skip(2);
      chunk_ = Chunk::head;
    } else {
      auto read = read_trailers(buffer);
      if (!read) return std::unexpected(read.error());
      if (!*read) break;
      ended_ = true;
    }
  }
  const std::string_view piece(piece_start, out == nullptr ? 0 : static_cast<std::size_t>(out - piece_start));
  if (auto counted = count(piece.size()); !counted) return std::unexpected(counted.error());
  return piece;
}

// "1a;ext=1\r\n" (RFC 9112 §7.1). False when more bytes are needed.
Result<bool> StreamBody::read_chunk_head(net::Buffer& buffer) {
  const std::string_view bytes = buffer.view().substr(0, chunk_head_max);
  const auto bad = [this](const char* what) { return fail(ErrorKind::protocol, what, options_.fault); };
  std::int64_t size = 0;
  std::size_t i = 0;
  for (; i < bytes.size() && hex_digit(bytes[i]) >= 0; ++i) {
    if (i == 15) return bad("a chunk size that is too large");
    size = size * 16 + hex_digit(bytes[i]);
  }
  if (i == bytes.size()) return false;
  if (i == 0) return bad("a bad chunk size");
  if (bytes[i] != '\r' && bytes[i] != ';') return bad("a bad chunk size");
  while (i < bytes.size() && bytes[i] != '\r') {
    if (!is_field_byte(bytes[i])) return bad("a bad chunk extension");
    ++i;
  }
  if (i + 1 >= bytes.size()) {
    if (bytes.size() == chunk_head_max) return bad("a chunk extension that is too long");
    return false;
  }
  if (bytes[i + 1] != '\n') return bad("a CR without LF in a chunk head");
  buffer.skip(i + 2);
  left_ = size;
  chunk_ = size == 0 ? Chunk::trailers : Chunk::data;
  return true;
}

Result<bool> StreamBody::read_trailers(net::Buffer& buffer) {
  const HeadLimits limits{.head_bytes_max = 8 * 1024, .fields_max = 64};
  const Parsed parsed = parse_trailers(buffer.view(), limits, trailers_);
  if (parsed.outcome == Parsed::refused)
    return fail(ErrorKind::protocol, std::string("trailers: ") + parsed.why, options_.fault);
  if (parsed.outcome == Parsed::incomplete) return false;
  // The views have to outlive the buffer.
  Headers kept(trailers_.arena());
  for (const Header& field : trailers_) kept.add(field.name, field.value);
  trailers_ = kept;
  buffer.skip(parsed.size);
  return true;
}

Result<> StreamBody::count(std::size_t bytes) {
  bytes_read_ += bytes;
  if (options_.size_max > 0 && bytes_read_ > static_cast<std::uint64_t>(options_.size_max)) {
    return fail(ErrorKind::limit, "a body of more than " + std::to_string(options_.size_max) + " bytes",
                options_.fault);
  }
  return {};
}

std::unexpected<Error> StreamBody::broken(ssize_t error) const {
  if (error == -ETIMEDOUT)
    return fail(ErrorKind::timeout, "no byte of the body came in time", options_.fault);
  if (error == 0) return fail(ErrorKind::closed, "the connection ended inside the body", options_.fault);
  return fail(ErrorKind::reset, system_message("body", static_cast<int>(-error)), options_.fault);
}

}  // namespace sluice::http
