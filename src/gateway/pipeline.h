// SPDX-License-Identifier: Apache-2.0
// A request's life, in three functions: `serve` (answer, response phases, send, log), `answer` (match, global
// rules, rewrite, consumer, access, forward) and Forward::ask (pick, ask, report, retry while safe). Start
// reading here.
#pragma once
#include "async/task.h"

namespace sluice::gateway {

class Session;

// Serves one request, first byte to last. Says whether the connection goes on.
async::Task<bool> serve(Session& session);

}  // namespace sluice::gateway
