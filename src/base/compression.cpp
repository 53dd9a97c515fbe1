// SPDX-License-Identifier: Apache-2.0
#include "base/compression.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zlib.h>

#include "base/text.h"

namespace sluice {
namespace {

constexpr std::size_t step = 16 * 1024;  // of output at once

Bytef* input_of(std::string_view bytes) {  // zlib does not write there
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

class GzipCompressor final : public Compressor {
 public:
  GzipCompressor(int level, std::int64_t size_hint) {
    constexpr int gzip_framing = 16;
    int window = MAX_WBITS, memory = MAX_MEM_LEVEL - 1;
    if (size_hint > 0) {
      while (size_hint < std::int64_t{1} << (window - 1) && window > 9)
        --window, memory > 1 ? --memory : memory;
    }
    const int made =
        deflateInit2(&stream_, level, Z_DEFLATED, window + gzip_framing, memory, Z_DEFAULT_STRATEGY);
    SLUICE_CHECK(made == Z_OK);
  }
  GzipCompressor(const GzipCompressor&) = delete;
  ~GzipCompressor() override { deflateEnd(&stream_); }

  void add(std::string_view bytes, Then then, std::string& out) override {
    stream_.next_in = input_of(bytes);
    stream_.avail_in = static_cast<uInt>(bytes.size());
    const int flush = then == Then::more ? Z_NO_FLUSH : then == Then::pause ? Z_SYNC_FLUSH : Z_FINISH;
    do {
      const std::size_t before = out.size();
      out.resize(before + step);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = step;
      deflate(&stream_, flush);
      out.resize(out.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class BrotliCompressor final : public Compressor {
 public:
  explicit BrotliCompressor(const BrotliOptions& options)
      : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    SLUICE_CHECK(state_ != nullptr);
    set(BROTLI_PARAM_MODE, options.mode);
    set(BROTLI_PARAM_QUALITY, options.quality);
    if (options.window != 0) set(BROTLI_PARAM_LGWIN, options.window);
    set(BROTLI_PARAM_LGBLOCK, options.block);
  }
  BrotliCompressor(const BrotliCompressor&) = delete;
  ~BrotliCompressor() override { BrotliEncoderDestroyInstance(state_); }

  void add(std::string_view bytes, Then then, std::string& out) override {
    const auto operation = then == Then::more    ? BROTLI_OPERATION_PROCESS
                           : then == Then::pause ? BROTLI_OPERATION_FLUSH
                                                 : BROTLI_OPERATION_FINISH;
    const std::uint8_t* in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t left = bytes.size();
    do {
      std::size_t room = 0;
      BrotliEncoderCompressStream(state_, operation, &left, &in, &room, nullptr, nullptr);
      std::size_t made = 0;
      const std::uint8_t* data = BrotliEncoderTakeOutput(state_, &made);
      out.append(reinterpret_cast<const char*>(data), made);
    } while (left > 0 || BrotliEncoderHasMoreOutput(state_) != 0);
  }

 private:
  void set(BrotliEncoderParameter name, int value) {
    BrotliEncoderSetParameter(state_, name, static_cast<std::uint32_t>(value));
  }
  BrotliEncoderState* state_;
};

std::unexpected<Error> too_large(std::size_t bytes_max) {
  return fail(ErrorKind::limit, "decoded, the body is larger than " + std::to_string(bytes_max) + " bytes",
              Fault::peer);
}
std::unexpected<Error> broken_body(std::string_view coding) {
  return fail(ErrorKind::protocol, "the body is no " + std::string(coding), Fault::peer);
}

Result<std::string> inflate_all(std::string_view bytes, int window, std::size_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return broken_body("gzip");
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> guard(&stream, &inflateEnd);
  stream.next_in = input_of(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK) {
    const std::size_t before = out.size();
    if (before > bytes_max) return too_large(bytes_max);
    out.resize(before + step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = step;
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (state == Z_STREAM_END && stream.avail_in > 0 && window > MAX_WBITS) {  // another member follows
      if (inflateReset(&stream) == Z_OK) state = Z_OK;
    }
  }
  if (state != Z_STREAM_END) return broken_body("gzip");
  if (out.size() > bytes_max) return too_large(bytes_max);
  return out;
}

Result<std::string> decode_brotli(std::string_view bytes, std::size_t bytes_max) {
  const std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), &BrotliDecoderDestroyInstance);
  const std::uint8_t* in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t left = bytes.size();
  std::string out;
  auto outcome = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
  while (outcome == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
    std::size_t room = 0;
    outcome = BrotliDecoderDecompressStream(state.get(), &left, &in, &room, nullptr, nullptr);
    std::size_t made = step;
    const std::uint8_t* data = BrotliDecoderTakeOutput(state.get(), &made);
    out.append(reinterpret_cast<const char*>(data), made);
    if (out.size() > bytes_max) return too_large(bytes_max);
    if (made > 0 && BrotliDecoderHasMoreOutput(state.get()) != 0)
      outcome = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
  }
  while (BrotliDecoderHasMoreOutput(state.get()) != 0) {
    std::size_t made = 0;
    const std::uint8_t* data = BrotliDecoderTakeOutput(state.get(), &made);
    out.append(reinterpret_cast<const char*>(data), made);
    if (out.size() > bytes_max) return too_large(bytes_max);
  }
  if (outcome != BROTLI_DECODER_RESULT_SUCCESS) return broken_body("brotli");
  return out;
}

}  // namespace

std::unique_ptr<Compressor> make_gzip_compressor(int level, std::int64_t size_hint) {
  return std::make_unique<GzipCompressor>(level, size_hint);
}
std::unique_ptr<Compressor> make_brotli_compressor(const BrotliOptions& options) {
  return std::make_unique<BrotliCompressor>(options);
}

Coding coding_of(std::string_view name) {
  if (name.empty() || equals_ignoring_case(name, "identity")) return Coding::identity;
  if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) return Coding::gzip;
  if (equals_ignoring_case(name, "deflate")) return Coding::deflate;
  return equals_ignoring_case(name, "br") ? Coding::brotli : Coding::unknown;
}

Result<std::string> decode(Coding coding, std::string_view bytes, std::size_t bytes_max) {
  switch (coding) {
    case Coding::identity: return std::string(bytes);
    case Coding::gzip: return inflate_all(bytes, MAX_WBITS + 16, bytes_max);
    case Coding::deflate: return inflate_all(bytes, MAX_WBITS, bytes_max);
    case Coding::brotli: return decode_brotli(bytes, bytes_max);
    case Coding::unknown: break;
  }
  return fail(ErrorKind::protocol, "its coding is none of gzip, deflate and br", Fault::peer);
}

}  // namespace sluice
