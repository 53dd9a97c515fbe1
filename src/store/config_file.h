// SPDX-License-Identifier: Apache-2.0
// APISIX's stand-alone files, apisix.yaml and apisix.json: lists of resources by kind. What cannot be read or
// is not valid is named with its path and left out, the rest counts. Pure functions, any thread.
#pragma once
#include <functional>
#include <optional>
#include <string>
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

// An item of a list of resources, in a file or in a whole configuration: its own kind (a credential may stand
// among the consumers), its id and its body with that id.
struct ListedItem {
  const model::Resource* kind = nullptr;
  std::string id;      // "arr_7" of the seventh when it says none
  bool named = false;  // it says one
  json::Value body;
  std::optional<std::int64_t> modified_index;  // taken out of the body: whoever wrote it counts its versions
};
// `item` is an object, the `number`th from 0.
ListedItem read_item(const model::Resource& listed, json::Value item, std::size_t number);

// Entries in the order of the file, of equal keys the last; `findings` gets what was left out and why. The
// error is one of the file as a whole: a YAML file without `#END` at its end (it is still being written), no
// YAML or JSON, a variable of the environment that is not set, nothing in it.
Result<std::vector<Entry>> read_config_file(std::string_view text, FileFormat format,
                                            const CheckResource& check, json::Findings& findings);

}  // namespace sluice::store
