// SPDX-License-Identifier: Apache-2.0
// Filters a plugin puts around a body: `WholeBody` collects it, within a limit, and gives what a function
// makes of it; `WatchedBody` passes it on and sees every piece; `TeeBody` keeps a copy of its beginning so;
// `CappedBody` bounds it; `FramedBody` puts text before and behind it. They live in the exchange's arena,
// pull from the body they stand around, and die with it. One worker.
#pragma once
#include <functional>
#include <string>

#include "http/message.h"

namespace sluice::plugin {

class WholeBody final : public http::Body {
 public:
  using Change = std::function<Result<>(std::string& body)>;
  // A body of more than `bytes_max`, or one that cannot be changed, breaks the message off.
  WholeBody(http::Body& inner, std::size_t bytes_max, Change change)
      : inner_(inner), bytes_max_(bytes_max), change_(std::move(change)) {}

  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return given_; }
  const http::Headers* trailers() const override { return inner_.trailers(); }

 private:
  http::Body& inner_;
  std::size_t bytes_max_;
  Change change_;
  std::string collected_;
  bool given_ = false;
};

class WatchedBody : public http::Body {
 public:
  explicit WatchedBody(http::Body& inner) : inner_(inner) {}

  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return inner_.ended(); }
  const http::Headers* trailers() const override { return inner_.trailers(); }

 protected:
  // A piece that goes by, or what broke the body off.
  virtual void see(const Result<std::string_view>& piece) = 0;
  http::Body& inner_;

 private:
  async::Task<Result<std::string_view>> wait(async::Task<Result<std::string_view>> pulled);
};

class TeeBody final : public WatchedBody {
 public:
  // Keeps the first `bytes_max` bytes.
  TeeBody(http::Body& inner, std::size_t bytes_max) : WatchedBody(inner), bytes_max_(bytes_max) {}

  std::optional<std::string_view> whole() const override;

  // What was kept so far.
  std::string_view kept() const;

 private:
  void see(const Result<std::string_view>& piece) override;
  std::size_t bytes_max_;
  std::string kept_;
};

// Breaks off, with an error of kind `limit` (the client is answered 413), what is longer than `bytes_max`.
class CappedBody final : public http::Body {
 public:
  CappedBody(http::Body& inner, std::size_t bytes_max) : inner_(inner), bytes_left_(bytes_max) {}

  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return inner_.ended(); }
  const http::Headers* trailers() const override { return inner_.trailers(); }
  std::optional<std::string_view> whole() const override;

 private:
  http::Body& inner_;
  std::size_t bytes_left_;
};

// The texts outlive it.
class FramedBody final : public http::Body {
 public:
  FramedBody(http::Body& inner, std::string_view before, std::string_view after)
      : inner_(inner), before_(before), after_(after) {}

  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return ended_; }
  const http::Headers* trailers() const override { return inner_.trailers(); }

 private:
  http::Body& inner_;
  std::string_view before_, after_;
  bool began_ = false, ended_ = false;
};

// Takes off the fields that describe a body which is about to be another one.
void forget_body(http::Response& response);

}  // namespace sluice::plugin
