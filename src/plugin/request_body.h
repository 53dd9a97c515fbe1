// SPDX-License-Identifier: Apache-2.0
// Variables that look into the request's body: post_arg_NAME (a field of an urlencoded form), post_arg.PATH
// (the same of a form or of JSON, by JSONPath), graphql_operation, graphql_name, graphql_root_fields,
// request_body. They read a body that is in memory as a whole; of one that is not they are absent and say
// that they want it. The gateway then holds the body and asks its routes again; for plugins it holds it
// before they run. What is parsed is kept for the exchange. Workers.
#pragma once
#include "plugin/exchange.h"

namespace sluice::plugin {

// The variable of a name that begins with post_arg or graphql_, or request_body; false when it is none.
Variable find_body_variable(std::string_view name);
// Whether a configuration names such a variable (or has a text that looks like one).
bool mentions_body_variable(const json::Value& config);

// Reads the body into memory, as far as a variable may look into it (Worker::body_limits). What is larger is
// passed on as it comes, and stays unread by variables. An error is the client's. Once an exchange; later
// calls are free.
async::Task<Result<>> hold_body(Exchange& x);

}  // namespace sluice::plugin
