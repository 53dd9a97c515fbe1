// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc.h"

#include <algorithm>

#include "base/log.h"
#include "http/bytes.h"
#include "json/text.h"

namespace sluice::gateway {
namespace {

constexpr std::string_view grpc_type = "application/grpc";
constexpr std::size_t message_max = 1024;  // bytes of a grpc-message
enum Code : int {
  unknown = 2,
  deadline_exceeded = 4,
  permission_denied = 7,
  resource_exhausted = 8,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16,
};

// Bytes other than printable ASCII, and '%', are percent-encoded.
std::string encoded(std::string_view message) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string text;
  for (const char c : message.substr(0, message_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') text += c;
    else text.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return text;
}

// What the body of a refusal says: the sentence in it, when it is JSON.
std::string message_of(const http::Response& response) {
  std::string_view content = response.body == nullptr ? response.content : std::string_view();
  while (content.ends_with('\n')) content.remove_suffix(1);
  if (const auto parsed = json::parse(content); content.starts_with('{') && parsed) {
    for (const char* name : {"message", "error_msg", "error"}) {
      if (!parsed->text(name).empty()) return std::string(parsed->text(name));
    }
  }
  if (!content.empty()) return std::string(content);
  const std::string_view reason =
      response.reason.empty() ? http::reason_of(response.status) : response.reason;
  return std::string(reason);
}

}  // namespace

bool is_grpc_type(std::string_view content_type) {
  if (content_type.size() < grpc_type.size()) return false;
  if (!http::equal_ignoring_case(content_type.substr(0, grpc_type.size()), grpc_type)) return false;
  const std::string_view rest = content_type.substr(grpc_type.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';' || rest.front() == ' ';
}

Instant grpc_deadline(const plugin::Exchange& x) {
  constexpr std::size_t digits_max = 8;
  const std::string_view text = x.request.headers.get("grpc-timeout");
  if (text.size() < 2 || text.size() > digits_max + 1) return never;
  std::int64_t count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return never;
    count = count * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H': return after(x.started, std::chrono::hours(count));
    case 'M': return after(x.started, std::chrono::minutes(count));
    case 'S': return after(x.started, std::chrono::seconds(count));
    case 'm': return after(x.started, std::chrono::milliseconds(count));
    case 'u': return after(x.started, std::chrono::microseconds(count));
    case 'n': return after(x.started, std::chrono::nanoseconds(count));
    default: return never;
  }
}

int grpc_status_of(int http_status) {
  switch (http_status) {
    case 400: return internal;
    case 401: return unauthenticated;
    case 403: return permission_denied;
    case 404: return unimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return unavailable;
    default: return unknown;
  }
}

void answer_grpc(plugin::Exchange& x) {
  http::Response& response = x.response;
  const bool late = response.status == 504 && grpc_deadline(x) <= x.worker.loop.now();
  const int code = late ? static_cast<int>(deadline_exceeded) : grpc_status_of(response.status);
  response.headers.set("grpc-status", x.arena.copy(std::to_string(code)));
  response.headers.set("grpc-message", x.arena.copy(encoded(message_of(response))));
  response.headers.set("content-type", grpc_type);
  response.status = 200;
  response.reason = {};
  response.body = nullptr;
  response.content = {};
}

async::Task<Result<std::string_view>> GrpcBody::next() {
  if (broken_ != nullptr) return Result<std::string_view>(std::string_view());
  auto pulled = inner_.next();
  if (!pulled.await_ready()) return wait(std::move(pulled));
  auto piece = pulled.await_resume();
  return piece ? std::move(piece) : broke_off(piece.error());
}

async::Task<Result<std::string_view>> GrpcBody::wait(async::Task<Result<std::string_view>> pulled) {
  auto piece = co_await pulled;
  if (piece) co_return piece;
  co_return broke_off(piece.error());
}

Result<std::string_view> GrpcBody::broke_off(const Error& error) {
  const bool late = deadline_ <= loop_.now();
  log::warn("a gRPC answer broke off: {}", late ? "its deadline has passed" : error.what);
  auto* trailers = arena_.make<http::Headers>(arena_);
  trailers->add("grpc-status", late ? "4" : "14");
  trailers->add("grpc-message", late ? "Deadline Exceeded" : "the server broke off its answer");
  broken_ = trailers;
  return std::string_view();
}

}  // namespace sluice::gateway
