// SPDX-License-Identifier: Apache-2.0
// What plugins that ask other services share: fields of their configs, and looking into answers. Requests go
// out by Worker::ask (plugin/worker.h). Any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json/fields.h"

namespace sluice::plugin {

using OutboundFields = std::vector<std::pair<std::string, std::string>>;

// keepalive, keepalive_pool and keepalive_timeout: connections are always kept here, within bounds of the
// worker's own, so the fields are read and say nothing.
struct KeepAliveConfig {
  bool keepalive = true;
  std::int64_t pool = 5, timeout = 60000;

  void describe(json::Fields& field);
};

// Reading: whether the member is a URL that can be asked.
void check_url(json::Fields& field, std::string_view member, const std::string& url);

// The first field of that name, null when there is none.
const std::string* find_field(const OutboundFields& fields, std::string_view name);
// Whether a field says how a body is framed or coded, so that it does not go with another body.
bool describes_body(std::string_view name);

// "a=1&b=2", encoded (application/x-www-form-urlencoded).
std::string form_of(const OutboundFields& arguments);
// Puts an argument behind a URL, which may have some.
void add_argument(std::string& url, std::string_view name, std::string_view value);

}  // namespace sluice::plugin
