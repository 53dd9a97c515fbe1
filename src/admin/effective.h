// SPDX-License-Identifier: Apache-2.0
// A resource as the gateway takes it, which is how APISIX's control API shows it: every default is written
// out, nodes are a list, and each plugin has its `_meta`. Pure function over what is stored; control thread.
#pragma once
#include "json/value.h"
#include "model/resources.h"
#include "plugin/validator.h"

namespace sluice::admin {

// What does not hold, a plugin that is not here for one, stays as it is stored.
json::Value effective(const plugin::Validator& validator, const model::Resource& resource,
                      std::string_view id, json::Value stored);

}  // namespace sluice::admin
