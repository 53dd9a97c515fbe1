// SPDX-License-Identifier: Apache-2.0
// A request's life, in three functions: `serve` (answer, response phases, send, log), `answer` (match, global
// rules, rewrite, consumer, access, forward) and Forward::ask (pick, ask, report, retry while safe). Start
// reading here.
#pragma once
#include "async/task.h"

namespace sluice::gateway {

class Session;
}
namespace sluice::http {
class ServerSide;
}

namespace sluice::gateway {

// Serves one request of the session's client, first byte to last. Says whether another can follow.
async::Task<bool> serve(Session& session, http::ServerSide& client);

}  // namespace sluice::gateway
