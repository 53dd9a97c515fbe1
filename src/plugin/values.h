// SPDX-License-Identifier: Apache-2.0
// What a request or response holds, as JSON: for logs, for schemas, for whoever is asked about a request. A
// name that comes more than once has a list of values. Pure functions.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "http/headers.h"
#include "json/value.h"

namespace sluice::plugin {

inline constexpr std::size_t arguments_default = 100;  // as ngx.req.get_uri_args has it

// Names in lower case.
json::Value headers_value(const http::Headers& headers);
// Of those only that have one of these names, which are in lower case: a walk for each.
json::Value headers_value(const http::Headers& headers, std::span<const std::string> names);
// Of "a=1&b": {"a": "1", "b": true}, decoded; those behind the first `arguments_max` are left out.
json::Value arguments_value(std::string_view query, std::size_t arguments_max = arguments_default);

}  // namespace sluice::plugin
