// SPDX-License-Identifier: Apache-2.0
// A body as it comes off a stream: framed by length, by chunks, or by the connection's end. It first gives
// what is left in the buffer that held the head, then reads into a buffer of its own; the head stays where it
// is. Chunks that arrive in one read are joined in place, so a piece is as large as the wire allows.
#pragma once
#include <cstdint>

#include "http/message.h"
#include "http/parser.h"
#include "net/buffer.h"
#include "net/stream.h"

namespace sluice::http {

enum class BodyFraming : std::uint8_t { length, chunked, until_close };

struct BodyOptions {
  BodyFraming framing = BodyFraming::length;
  std::int64_t length = 0;
  std::int64_t size_max = 0;  // bytes; 0: no limit. More is an error of kind `limit`
  Duration patience = std::chrono::seconds(60);  // between two reads
  Fault fault = Fault::client;  // who is at fault when it breaks
  bool send_continue = false;   // answer "100 Continue" before the first wait
};

class StreamBody final : public Body {
 public:
  // `rest` is what was read behind the head; the body consumes its own part of it.
  StreamBody(net::Stream& stream, net::Buffer& rest, Arena& arena, const BodyOptions& options)
      : stream_(stream), rest_(rest), options_(options), left_(options.length), trailers_(arena) {
    if (options.framing == BodyFraming::length && options.length == 0) ended_ = true;
  }

  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return ended_; }
  const Headers* trailers() const override { return trailers_.size() > 0 ? &trailers_ : nullptr; }

  std::optional<std::string_view> whole() const override;
  // Whether everything that is left is in memory already.
  bool wholly_buffered() const;
  // Bytes of the message behind this body, when it has ended, that were read with it.
  net::Buffer take_excess() { return std::move(own_); }
  bool has_excess() const { return !own_.empty(); }
  std::uint64_t bytes_read() const { return bytes_read_; }
  // No "100 Continue" any more: the final answer is on its way.
  void forgo_continue() { options_.send_continue = false; }
  bool waits_for_continue() const { return options_.send_continue; }

 private:
  async::Task<Result<std::string_view>> wait_next();
  // A piece out of `buffer`, empty when it has none.
  Result<std::string_view> take(net::Buffer& buffer);
  Result<std::string_view> take_chunked(net::Buffer& buffer);
  Result<bool> read_chunk_head(net::Buffer& buffer);
  Result<bool> read_trailers(net::Buffer& buffer);
  Result<> count(std::size_t bytes);
  std::unexpected<Error> broken(ssize_t error) const;
  net::Buffer& current() { return rest_.empty() ? own_ : rest_; }

  enum class Chunk : std::uint8_t { head, data, data_end, trailers };

  net::Stream& stream_;
  net::Buffer& rest_;
  net::Buffer own_;
  BodyOptions options_;
  std::int64_t left_;  // of the body, or of the chunk
  std::uint64_t bytes_read_ = 0;
  Chunk chunk_ = Chunk::head;
  bool ended_ = false;
  Headers trailers_;
};

}  // namespace sluice::http
