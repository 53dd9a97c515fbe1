// SPDX-License-Identifier: Apache-2.0
// How a connection ends that came to nothing: broken (RST), so that the client cannot take the end for an
// empty answer. The stream's own loop.
#pragma once
#include "net/stream.h"

namespace sluice::net {

// When `stream` is destroyed its connection is broken instead of closed, and what is not sent yet is lost.
// Below TLS, too; streams in memory just end.
void reset_when_closed(Stream& stream);

}  // namespace sluice::net
