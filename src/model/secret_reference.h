// SPDX-License-Identifier: Apache-2.0
// Texts that stand for a secret kept elsewhere: `$env://NAME` is the environment variable of that name, and
// `$env://NAME/MEMBER` a member of the JSON object it holds. They are replaced where APISIX does it, in the
// configs of plugins and in the certificates and keys of an ssl, when a resource is checked and when it is
// compiled; what is stored keeps the reference. Any thread.
#pragma once
#include <string_view>

#include "json/findings.h"
#include "json/value.h"
#include "model/resources.h"

namespace sluice::model {

bool is_secret_reference(std::string_view text);

// Replaces every reference in `body`. What cannot be is left as it is: a warning when only the environment
// lacks it, else a problem.
void resolve_secret_references(const Resource& resource, json::Value& body, json::Findings& findings);

}  // namespace sluice::model
