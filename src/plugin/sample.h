// SPDX-License-Identifier: Apache-2.0
// Values made up from a JSON Schema, and shown as XML: answers of services that are not there yet. Bounded.
// Any thread.
#pragma once
#include <string>
#include <string_view>

#include "json/value.h"

namespace sluice::plugin {

// A value of the schema's type: its `example` when it has one of that type, else chance's. Arrays get one to
// three items. What lies deeper than 32 levels is null.
json::Value sample_of(const json::Value& schema);

// The value as XML in an element `name`: members are elements, items of a list are elements of the list's
// name.
std::string xml_of(const json::Value& value, std::string_view name);

}  // namespace sluice::plugin
