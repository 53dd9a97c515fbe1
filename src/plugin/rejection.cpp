// SPDX-License-Identifier: Apache-2.0
#include "plugin/rejection.h"

namespace sluice::plugin {

void Rejection::describe(json::Fields& field, int least, int most) {
  constexpr std::size_t characters_max = 65536;
  field("rejected_code", status, "Status of a refusal.").range(least, most);
  field("rejected_msg", message, "What a refusal says, as error_msg.").length(1, characters_max);
}

Verdict Rejection::verdict() const {
  if (message.empty()) return reply(status);
  return reply_json(status, json::Value::object({{"error_msg", message}}));
}

}  // namespace sluice::plugin
