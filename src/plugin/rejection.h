// SPDX-License-Identifier: Apache-2.0
// How a plugin refuses: the status and the text that an operator chose for it, with the fields that say so.
// Immutable once read, any thread.
#pragma once
#include <string>

#include "json/fields.h"
#include "plugin/plugin.h"

namespace sluice::plugin {

struct Rejection {
  int status = 503;
  std::string message;  // empty: APISIX's page for the status

  // Fields rejected_code, within the bounds given, and rejected_msg.
  void describe(json::Fields& field, int least, int most);
  // {"error_msg": message}, or the page.
  Verdict verdict() const;
};

}  // namespace sluice::plugin
