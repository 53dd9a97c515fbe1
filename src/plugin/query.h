// SPDX-License-Identifier: Apache-2.0
// Arguments of a request's query, as plugins edit them (the variables arg_NAME read them). The client's
// target stays as it was; what the upstream is asked for changes.
#pragma once
#include <string_view>

#include "plugin/exchange.h"

namespace sluice::plugin {

// Takes every argument of that name off what the upstream sees.
void remove_query_argument(Exchange& x, std::string_view name);

// Appends a path so that it can stand in a request line: what nginx's NGX_ESCAPE_URI keeps stays, beside
// letters and digits, and the rest is percent-encoded.
void append_path(std::string_view path, std::string& out);

}  // namespace sluice::plugin
