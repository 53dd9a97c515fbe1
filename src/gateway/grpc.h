// SPDX-License-Identifier: Apache-2.0
// What gRPC puts into HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md) as far as a gateway has to know it: which requests
// are calls, until when an answer is worth something, and how the gateway's own answers, and a server's
// falling silent in the middle of one, are said in a way that gRPC clients understand. Worker threads.
#pragma once
#include <string_view>

#include "http/message.h"
#include "plugin/exchange.h"

namespace sluice::gateway {

// "application/grpc", "application/grpc+proto"; not "application/grpc-web".
bool is_grpc_type(std::string_view content_type);
// A call by a client that can be told trailers.
inline bool is_grpc_call(const http::Request& request) {
  return request.major_version == 2 && is_grpc_type(request.headers.get(http::HeaderId::content_type));
}

// When the client stops waiting: the request's beginning and its grpc-timeout; `never` without one.
Instant grpc_deadline(const plugin::Exchange& x);

// gRPC's number for a status of HTTP (grpc/doc/http-grpc-status-mapping.md).
int grpc_status_of(int http_status);

// Turns a response of the gateway's own into one without a body, status 200, that has grpc-status and
// grpc-message.
void answer_grpc(plugin::Exchange& x);

// A response's body that, when the server breaks off, ends with trailers that say so, instead of breaking
// off.
class GrpcBody final : public http::Body {
 public:
  GrpcBody(http::Body& inner, Arena& arena, async::Loop& loop, Instant deadline)
      : inner_(inner), arena_(arena), loop_(loop), deadline_(deadline) {}

  async::Task<Result<std::string_view>> next() override;
  bool ended() const override { return broken_ != nullptr || inner_.ended(); }
  const http::Headers* trailers() const override { return broken_ != nullptr ? broken_ : inner_.trailers(); }
  std::optional<std::string_view> whole() const override { return inner_.whole(); }

 private:
  Result<std::string_view> broke_off(const Error& error);
  async::Task<Result<std::string_view>> wait(async::Task<Result<std::string_view>> pulled);
  http::Body& inner_;
  Arena& arena_;
  async::Loop& loop_;
  Instant deadline_;
  const http::Headers* broken_ = nullptr;
};

}  // namespace sluice::gateway
