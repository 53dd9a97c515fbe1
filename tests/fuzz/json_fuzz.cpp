// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON and as YAML: what is taken must come back the same after having been written.
#include <cstdint>
#include <cstdlib>

#include "json/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto value = json::parse(text)) {
    auto again = json::parse(json::dump(*value));
    if (!again || !(*again == *value)) std::abort();
    auto merged = *value;
    json::merge_patch(merged, *value);
    (void)json::patch_path(merged, text.substr(0, 20), 1);
    (void)json::at_pointer(std::as_const(merged), text.substr(0, 20));
  }
  if (size < 4096) {
    json::Limits limits{.depth = 32, .bytes = 4096, .values = 10'000};
    if (auto value = json::parse_yaml(text, limits)) (void)json::dump(*value);
  }
  return 0;
}
