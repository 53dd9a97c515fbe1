// SPDX-License-Identifier: Apache-2.0
#include "plugin/body_filter.h"

#include <algorithm>

namespace sluice::plugin {

async::Task<Result<std::string_view>> WholeBody::next() {
  if (given_) co_return Result<std::string_view>(std::string_view());
  while (!inner_.ended()) {
    auto pulled = inner_.next();
    auto piece = co_await pulled;
    if (!piece) co_return piece;
    if (piece->empty()) break;
    if (collected_.size() + piece->size() > bytes_max_) {
      co_return Result<std::string_view>(
          fail(ErrorKind::limit, "the body is larger than the " + std::to_string(bytes_max_) +
                                     " bytes a plugin may hold of it (max_resp_body_size)"));
    }
    collected_ += *piece;
  }
  if (auto changed = change_(collected_); !changed)
    co_return Result<std::string_view>(std::unexpected(std::move(changed.error())));
  given_ = true;
  co_return Result<std::string_view>(std::string_view(collected_));
}

// What is there already takes no frame.
async::Task<Result<std::string_view>> WatchedBody::next() {
  auto pulled = inner_.next();
  if (!pulled.await_ready()) return wait(std::move(pulled));
  auto piece = pulled.await_resume();
  see(piece);
  return piece;
}

async::Task<Result<std::string_view>> WatchedBody::wait(async::Task<Result<std::string_view>> pulled) {
  auto piece = co_await pulled;
  see(piece);
  co_return piece;
}

void TeeBody::see(const Result<std::string_view>& piece) {
  if (piece) kept_.append(piece->substr(0, std::min(piece->size(), bytes_max_ - kept_.size())));
}

std::optional<std::string_view> TeeBody::whole() const { return inner_.whole(); }

std::string_view TeeBody::kept() const {
  if (!kept_.empty()) return kept_;
  const auto all = inner_.whole();  // sent in one write, without `next`
  return all ? all->substr(0, bytes_max_) : std::string_view();
}

async::Task<Result<std::string_view>> CappedBody::next() {
  auto pulled = inner_.next();
  auto piece = co_await pulled;
  if (!piece) co_return piece;
  if (piece->size() > bytes_left_)
    co_return Result<std::string_view>(
        fail(ErrorKind::limit, "the body is larger than allowed", Fault::client));
  bytes_left_ -= piece->size();
  co_return piece;
}

std::optional<std::string_view> CappedBody::whole() const {
  const auto all = inner_.whole();
  return all && all->size() <= bytes_left_ ? all : std::nullopt;
}

async::Task<Result<std::string_view>> FramedBody::next() {
  if (!began_) {
    began_ = true;
    if (!before_.empty()) co_return Result<std::string_view>(before_);
  }
  if (!inner_.ended()) {
    auto pulled = inner_.next();
    auto piece = co_await pulled;
    if (!piece || !piece->empty()) co_return piece;
  }
  const std::string_view last = ended_ ? std::string_view() : after_;
  ended_ = true;
  co_return Result<std::string_view>(last);
}

void forget_body(http::Response& response) {
  for (const auto id : {http::HeaderId::content_length, http::HeaderId::content_encoding,
                        http::HeaderId::last_modified, http::HeaderId::etag})
    response.headers.remove(id);
}

}  // namespace sluice::plugin
