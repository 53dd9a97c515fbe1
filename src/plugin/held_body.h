// SPDX-License-Identifier: Apache-2.0
// The body of a request, read into memory before it is passed on: for whoever has to see all of it first.
// Lives in the exchange's arena. One worker.
#pragma once
#include <string>
#include <string_view>

#include "plugin/exchange.h"

namespace sluice::plugin {

inline constexpr std::size_t body_held_default = 64 << 20;  // APISIX's bound for plugins that hold bodies

// A body whose beginning, or all of it, was read before it is passed on.
class HeldBody final : public http::Body {
 public:
  explicit HeldBody(http::Body& inner) : inner_(inner) {}

  // Reads up to the limit; what came last may go beyond it.
  async::Task<Result<>> hold(std::size_t bytes_max);
  // Whether all of it is here, and nothing behind it, so that it can be sent in one piece.
  bool complete() const { return complete_; }
  // What was read.
  std::string_view text() const { return held_; }

  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return (given_ || held_.empty()) && inner_.ended(); }
  const http::Headers* trailers() const override { return inner_.trailers(); }
  std::optional<std::string_view> whole() const override;

 private:
  http::Body& inner_;
  std::string held_;
  bool given_ = false;
  bool complete_ = false;
};

// All of the request's body, which the upstream gets all the same; empty when there is none. A larger one is
// an error of kind `limit`, at which the client is to be answered 413; any error is the client's.
async::Task<Result<std::string_view>> whole_body(Exchange& x, std::size_t bytes_max);

// The upstream gets `text` instead of the request's body.
void replace_body(Exchange& x, std::string text);

}  // namespace sluice::plugin
