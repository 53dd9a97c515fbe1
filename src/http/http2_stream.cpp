// SPDX-License-Identifier: Apache-2.0
#include "http/http2_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/head_writer.h"

namespace sluice::http {

// http2_server.cpp
ssize_t read_http2_body(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                        std::uint32_t* flags, nghttp2_data_source* source, void* user);

namespace {

constexpr HeaderMask written_here = hop_by_hop | mask(HeaderId::content_length);
constexpr HeaderMask misplaced = written_here | mask(HeaderId::host, HeaderId::authorization,
                                                     HeaderId::content_type);

bool fits_a_line(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c <= ' ' || c == 0x7f; });
}

// The fields of a head or of trailers as nghttp2 wants them: names in lower case (RFC 9113 §8.2). Both are
// copied when they are submitted.
class FieldList {
 public:
  FieldList(Arena& arena, std::size_t most) : arena_(arena), list_(arena.array<nghttp2_nv>(most)) {}

  void add(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view text) {
      return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    list_[count_++] = {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
    bytes_ += name.size() + value.size() + 2;
  }
  void add_all(const Headers& headers, HeaderMask skip) {
    skip &= ~mask(HeaderId::other);
    for (const Header& field : headers) {
      if ((mask(field.id) & skip) != 0) continue;
      char* name = arena_.text(field.name.size());
      std::ranges::transform(field.name, name, lower);
      add({name, field.name.size()}, field.value);
    }
  }
  const nghttp2_nv* data() const { return list_; }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Arena& arena_;
  nghttp2_nv* list_;
  std::size_t count_ = 0, bytes_ = 0;
};

}  // namespace

Http2Stream::Http2Stream(Http2Server& connection, std::int32_t id)
    : connection_(connection),
      id_(id),
      number_(0),
      timer_(connection.stream().loop(), &Http2Stream::timed_out, this) {}

// ---- the request ----

void Http2Stream::add_field(std::string_view name, std::string_view value) {
  const HeadLimits& limits = connection_.options().head;
  const std::size_t size = method_.size() + target_.size() + authority_.size() + cookies_.size() +
                           fields_.size() + name.size() + value.size();
  if (too_large_ || size > limits.head_bytes_max || ++fields_count_ > limits.fields_max + 4) {
    too_large_ = true;
    return;
  }
  if (name == ":method") method_ = value;
  else if (name == ":path") target_ = value;
  else if (name == ":authority") authority_ = value;
  else if (name == "host" && authority_.empty()) authority_ = value;
  else if (name == "cookie") cookies_.append(cookies_.empty() ? "" : "; ").append(value);  // RFC 9113 §8.2.3
  else if (!name.starts_with(':') && name != "host" && name != "te")
    fields_.append(name).append(": ").append(value).append("\r\n");
}

void Http2Stream::write_head(net::Buffer& out) const {
  HeadWriter head(out, method_.size() + target_.size() + authority_.size() + fields_.size() + 64);
  head.text(method_).text(" ").text(target_).text(" HTTP/1.1\r\n");
  head.field("host", authority_).text(fields_);
  if (!cookies_.empty()) head.field("cookie", cookies_);
  head.end();
}

async::Task<ServerSide::Head> Http2Stream::read_head(Request& request) {
  const ServerOptions& options = connection_.options();
  refusal_ = {};
  if (too_large_) refusal_ = {Parsed::refused, 0, 431, "a head that is too large"};
  else if (!fits_a_line(method_) || !fits_a_line(target_) || !fits_a_line(authority_))
    refusal_ = {Parsed::refused, 0, 400, "a pseudo-header field with spaces or controls"};
  if (refusal_.outcome == Parsed::refused) return Head::refused;
  write_head(head_);
  const Parsed parsed = parse_request(head_.view(), options.head, request);
  request.major_version = 2;
  request.secure = tls() != nullptr;
  if (parsed.outcome != Parsed::whole) {
    refusal_ = parsed;
    if (parsed.outcome == Parsed::incomplete)
      refusal_ = {Parsed::refused, 0, 400, "a head that makes no sense"};
    return Head::refused;
  }
  length_known_ = request.headers.has(HeaderId::content_length);
  if (!length_known_ && input_ended_) {
    request.content_length = static_cast<std::int64_t>(in_.size());
    length_known_ = true;
  } else if (!length_known_) {
    request.content_length = unknown_length;
  }
  if (options.body_bytes_max > 0 && request.content_length > options.body_bytes_max) {
    refusal_ = {Parsed::refused, 0, 413, "a body that is too large"};
    return Head::refused;
  }
  wants_continue_ = request.expects_continue;
  if (request.content_length != 0) request.body = this;
  return Head::ready;
}

std::optional<std::string_view> Http2Stream::whole() const {
  if (!input_ended_ || !length_known_ || body_bytes_ > 0) return std::nullopt;
  return in_;
}

async::Task<Result<std::string_view>> Http2Stream::next() {
  if (!in_.empty()) return take_input();
  if (input_ended_) return Result<std::string_view>(std::string_view());
  return wait_next();
}

// The window opens again for what is taken.
Result<std::string_view> Http2Stream::take_input() {
  taken_.swap(in_);
  in_.clear();
  body_bytes_ += taken_.size();
  nghttp2_session_consume(connection_.session_, id_, taken_.size());
  connection_.flush_soon();
  const auto most = connection_.options().body_bytes_max;
  if (most > 0 && body_bytes_ > static_cast<std::uint64_t>(most))
    return fail(ErrorKind::limit, "a body of more than " + std::to_string(most) + " bytes", Fault::client);
  return std::string_view(taken_);
}

async::Task<Result<std::string_view>> Http2Stream::wait_next() {
  if (std::exchange(wants_continue_, false) && !response_begun_) {
    std::uint8_t name[] = ":status", value[] = "100";
    const nghttp2_nv status{name, value, 7, 3, NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_headers(connection_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, &status, 1, nullptr);
    connection_.flush_soon();
  }
  while (in_.empty() && !input_ended_) {
    Change change(*this, Wait::input, connection_.options().body_timeout);
    const ssize_t told = co_await change;
    if (told < 0) co_return fail(ErrorKind::timeout, "no byte of the body came in time", Fault::client);
  }
  if (in_.empty()) co_return std::string_view();
  co_return take_input();
}

// ---- the response ----

Result<> Http2Stream::submit(const Request& request, const Response& response, bool with_body) {
  FieldList fields(request.arena, response.headers.size() + 5);
  fields.add(":status", digits_of(response.status));
  const Header* server = response.headers.find(HeaderId::server);
  const bool own_server = server == nullptr || server->raw;  // an upstream's name is not ours to show
  fields.add_all(response.headers, written_here | (own_server ? mask(HeaderId::server) : 0));
  const std::string& name = connection_.options().server_header;
  if (own_server && !name.empty()) fields.add("server", name);
  if (!response.headers.has(HeaderId::date)) fields.add("date", http_date(connection_.stream().loop()));
  if (response.content_length >= 0 && response.status != 204)
    fields.add("content-length", request.arena.copy(std::to_string(response.content_length)));
  nghttp2_data_provider body{};
  body.read_callback = read_http2_body;
  response_begun_ = true;
  const int done = nghttp2_submit_response(connection_.session_, id_, fields.data(), fields.size(),
                                           with_body ? &body : nullptr);
  if (done != 0 || closed_) return std::unexpected(gone(Fault::client));
  return {};
}

Error Http2Stream::gone(Fault fault) const {
  return {ErrorKind::reset, fault, "the client has given the stream up", false};
}

async::Task<Result<>> Http2Stream::send(const Request& request, Response& response, Sent& sent) {
  const bool may_have_body =
      request.method_id != Method::head && response.status != 204 && response.status != 304;
  std::string_view content =
      may_have_body && response.body == nullptr ? response.content : std::string_view();
  bool streams = response.body != nullptr && may_have_body;
  const bool measured = may_have_body || !response.content.empty();
  if (response.body == nullptr && measured && response.content_length == unknown_length)
    response.content_length = static_cast<std::int64_t>(response.content.size());
  if (const auto whole = streams ? response.body->whole() : std::nullopt) {
    content = *whole;
    static_cast<void>(response.body->next());  // it is taken
    streams = false;
  }
  auto submitted = submit(request, response, streams || !content.empty());
  if (!submitted) return submitted;
  connection_.flush_soon();
  sent.head_sent = true;
  if (streams) return send_body(response, sent);
  if (content.empty()) {
    out_done_ = true;
    return Result<>();
  }
  out_last_ = true;
  return hand_out(content, sent);
}

async::Task<Result<>> Http2Stream::send_body(Response& response, Sent& sent) {
  for (bool more = true; more;) {
    auto pulled = response.body->next();
    auto piece = co_await pulled;
    if (!piece) co_return std::unexpected(std::move(piece.error()));  // the stream is reset
    more = !piece->empty() && !response.body->ended();
    if (!more) {
      out_last_ = true;
      out_trailers_ = response.body->trailers();
    }
    auto handed = co_await hand_out(*piece, sent);
    if (!handed) co_return handed;
  }
  co_return Result<>();
}

// Comes back when the client's windows have let all of the piece out.
async::Task<Result<>> Http2Stream::hand_out(std::string_view piece, Sent& sent) {
  out_ = piece;
  nghttp2_session_resume_data(connection_.session_, id_);
  connection_.flush_soon();
  while (!out_.empty() || (out_last_ && !out_done_)) {
    Change change(*this, Wait::output, connection_.options().send_timeout);
    const ssize_t told = co_await change;
    if (told < 0) {
      out_ = {};
      co_return fail(ErrorKind::timeout, "the client took nothing of the response in time", Fault::client);
    }
  }
  sent.bytes += piece.size();
  sent.body_bytes += piece.size();
  co_return Result<>();
}

void Http2Stream::submit_trailers(const Headers& trailers) {
  FieldList fields(trailers.arena(), trailers.size());
  fields.add_all(trailers, misplaced);
  nghttp2_submit_trailer(connection_.session_, id_, fields.data(), fields.size());
}

async::Task<Result<>> Http2Stream::send_interim(const Response& response) {
  FieldList fields(response.headers.arena(), response.headers.size() + 1);
  fields.add(":status", digits_of(response.status));
  fields.add_all(response.headers, written_here);
  nghttp2_submit_headers(connection_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, fields.data(), fields.size(),
                         nullptr);
  connection_.flush_soon();
  return Result<>();
}

// ---- waiting ----

Http2Stream::Change::Change(Http2Stream& stream, Wait what, Duration patience)
    : stream_(stream), what_(what), patience_(patience) {}

Http2Stream::Change::~Change() {
  stream_.waiter_ = nullptr;
  stream_.waits_for_ = Wait::none;
  stream_.timer_.cancel();
}

void Http2Stream::Change::await_suspend(std::coroutine_handle<> waiter) {
  stream_.waiter_ = waiter;
  stream_.waits_for_ = what_;
  stream_.timer_.set(after(stream_.connection_.stream().loop().now(), patience_));
}

// The connection resumes it when it is out of nghttp2.
void Http2Stream::changed(Wait what) {
  if (waits_for_ == what) connection_.woken_.push_back(id_);
}

void Http2Stream::timed_out(void* self) {
  auto& stream = *static_cast<Http2Stream*>(self);
  if (!stream.waiter_) return;
  stream.result_ = -ETIMEDOUT;
  std::exchange(stream.waiter_, nullptr).resume();
}

}  // namespace sluice::http
