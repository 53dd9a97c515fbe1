// SPDX-License-Identifier: Apache-2.0
#include "plugin/stream_side.h"

namespace sluice::plugin {

async::Task<Result<>> StreamSide::read_more(Instant deadline) {
  if (client_ == nullptr) co_return fail(ErrorKind::closed, "a datagram has no more", Fault::client);
  first_.need(first_bytes_max);
  if (first_.room() == 0)
    co_return fail(ErrorKind::limit,
                   "the client has said " + std::to_string(first_bytes_max) + " bytes and is not understood",
                   Fault::client);
  const ssize_t count = co_await client_->read(first_.tail(), first_.room(), deadline);
  if (count > 0) {
    first_.filled(static_cast<std::size_t>(count));
    co_return Result<>();
  }
  if (count == -ETIMEDOUT) co_return fail(ErrorKind::timeout, "the client says nothing", Fault::client);
  co_return fail(ErrorKind::closed, "the client has gone", Fault::client);
}

}  // namespace sluice::plugin
