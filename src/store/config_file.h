// SPDX-License-Identifier: Apache-2.0
// APISIX's stand-alone files, apisix.yaml and apisix.json: lists of resources by kind. What cannot be read or
// is not valid is named with its path and left out, the rest counts. Pure functions, any thread.
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/findings.h"
#include "json/value.h"
#include "model/resources.h"
#include "store/store.h"

namespace sluice::store {

enum class FileFormat : std::uint8_t { yaml, json };

// Finds the problems of one resource.
using CheckResource = std::function<void(const model::Resource& resource, std::string_view id,
                                         const json::Value& body, json::Findings& findings)>;

// Entries in the order of the file, of equal keys the last; `findings` gets what was left out and why. The
// error is one of the file as a whole: a YAML file without `#END` at its end (it is still being written), no
// YAML or JSON, a variable of the environment that is not set, nothing in it.
Result<std::vector<Entry>> read_config_file(std::string_view text, FileFormat format,
                                            const CheckResource& check, json::Findings& findings);

}  // namespace sluice::store
