// SPDX-License-Identifier: Apache-2.0
// A whole configuration in one body, as APISIX's stand-alone clients send it: lists of resources by kind,
// each with a `KIND_conf_version` beside it. Read and checked here, whoever then does something with it. Pure
// functions, any thread.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "admin/call.h"
#include "plugin/validator.h"

namespace sluice::admin {

inline constexpr std::string_view conf_version_suffix = "_conf_version";

// JSON, or YAML by its type; the reply that refuses a body that is none, or no object.
std::optional<http::Reply> parse_configs(const Call& call, json::Value& document);

struct ConfigsProblem {
  std::string kind;  // "routes"
  std::optional<json::Value> id;
  std::size_t index = 0;  // of the item, when there is an id
  std::string what;
};
json::Value describe_problems(const std::vector<ConfigsProblem>& problems);
// All of them. References are not followed: what is referred to may come later.
std::vector<ConfigsProblem> check_configs(const plugin::Validator& validator, const json::Value& document);

// POST /configs/validate: 200, or 400 with all that is wrong.
http::Reply validate_configs(const plugin::Validator& validator, const Call& call);

}  // namespace sluice::admin
