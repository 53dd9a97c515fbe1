// SPDX-License-Identifier: Apache-2.0
// `_meta`: what an operator may say to any plugin's configuration without the plugin knowing. It is read here
// and taken away before the plugin reads the rest. Plain values, any thread.
#pragma once
#include <optional>

#include "json/fields.h"

namespace sluice::plugin {

struct Meta {
  bool disable = false;        // kept, not run, and not checked strictly
  json::Value error_response;  // an object or a text that replaces the body of a refusal; null: none
  std::optional<std::int64_t> priority;  // instead of the plugin's own
  json::Value filter;                    // an expression; null: none
  void describe(json::Fields& field);
};

// Splits a plugin's configuration into its own part and `_meta` (and the older `disable`). False with
// problems. `config` is an object.
bool split_meta(const json::Value& config, json::Value& own, Meta& meta, json::Reader& reader);

}  // namespace sluice::plugin
