// SPDX-License-Identifier: Apache-2.0
// A log entry as a line for a syslog server (RFC 5424): facility syslog, severity informational, the sender
// `apisix`, as APISIX's receivers know it. Pure function, any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::plugin {

// `wall` is in nanoseconds since 1970. A `host` that the header cannot hold is "-"; a message has no line
// breaks (JSON has none). Ends with one.
std::string syslog_line(std::int64_t wall, std::string_view host, std::string_view message);

}  // namespace sluice::plugin
