// SPDX-License-Identifier: Apache-2.0
// What follows a switch of protocols (RFC 9110 §7.8): bytes both ways, until both sides have ended or neither
// says anything for the patience of the upstream's read timeout.
#pragma once
#include "async/task.h"
#include "gateway/forward.h"
#include "http/http2_stream.h"

namespace sluice::gateway {

async::Task<> tunnel(http::ServerConnection& client, Forward& forward, http::ServerSide::Sent& sent);
// The same when the client's side is a stream of HTTP/2 (RFC 8441).
async::Task<> tunnel(http::Http2Stream& client, Forward& forward, http::ServerSide::Sent& sent);

}  // namespace sluice::gateway
