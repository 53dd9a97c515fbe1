// SPDX-License-Identifier: Apache-2.0
#include "plugin/held_body.h"

namespace sluice::plugin {
namespace {

// In APISIX's words. `size` is what is known of it so far.
std::unexpected<Error> too_large(std::size_t size, std::size_t bytes_max) {
  return fail(ErrorKind::limit,
              "request size " + std::to_string(size) + " is greater than the maximum size " +
                  std::to_string(bytes_max) + " allowed",
              Fault::client);
}

class TextBody final : public http::Body {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  async::Task<Result<std::string_view>> next() override {
    const bool first = !given_;
    given_ = true;
    return Result<std::string_view>(first ? std::string_view(text_) : std::string_view());
  }
  bool ended() const override { return given_; }
  std::optional<std::string_view> whole() const override {
    return given_ ? std::nullopt : std::optional<std::string_view>(text_);
  }

 private:
  std::string text_;
  bool given_ = false;
};

}  // namespace

async::Task<Result<>> HeldBody::hold(std::size_t bytes_max) {
  while (!inner_.ended() && held_.size() <= bytes_max) {
    auto pulled = inner_.next();
    auto piece = co_await pulled;
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (piece->empty()) break;
    held_ += *piece;
  }
  complete_ = inner_.ended() && held_.size() <= bytes_max && inner_.trailers() == nullptr;
  co_return Result<>();
}

async::Task<Result<std::string_view>> HeldBody::next() {
  if (given_ || held_.empty()) return inner_.next();
  given_ = true;
  return Result<std::string_view>(std::string_view(held_));
}

std::optional<std::string_view> HeldBody::whole() const {
  return complete_ ? std::optional<std::string_view>(held_) : std::nullopt;
}

async::Task<Result<std::string_view>> whole_body(Exchange& x, std::size_t bytes_max) {
  http::Request& request = x.request;
  if (request.body == nullptr) co_return Result<std::string_view>(std::string_view());
  if (request.content_length > static_cast<std::int64_t>(bytes_max))
    co_return too_large(static_cast<std::size_t>(request.content_length), bytes_max);
  if (const auto whole = request.body->whole(); whole) {
    if (whole->size() > bytes_max) co_return too_large(whole->size(), bytes_max);
    co_return Result<std::string_view>(*whole);
  }
  auto* body = x.arena.make<HeldBody>(*request.body);
  auto holding = body->hold(bytes_max);
  auto held = co_await holding;
  if (!held) co_return std::unexpected(std::move(held.error()));
  request.body = body;
  if (body->complete()) request.content_length = static_cast<std::int64_t>(body->text().size());
  if (body->text().size() > bytes_max) co_return too_large(body->text().size(), bytes_max);
  co_return Result<std::string_view>(body->text());
}

void replace_body(Exchange& x, std::string text) {
  x.request.content_length = static_cast<std::int64_t>(text.size());
  x.request.body = x.arena.make<TextBody>(std::move(text));
}

}  // namespace sluice::plugin
