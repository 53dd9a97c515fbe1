// SPDX-License-Identifier: Apache-2.0
// Any value, given as JSON, written as YAML: it is read back as the same, and names no variable.
#include <cstdint>
#include <cstdlib>

#include "json/environment.h"
#include "json/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  const auto value = json::parse({reinterpret_cast<const char*>(data), size}, {.depth = 32, .bytes = 8192});
  if (!value) return 0;
  const std::string written = json::dump_yaml(*value);
  const auto again = json::parse_yaml(written);
  if (!again || !(*again == *value)) std::abort();
  json::Findings findings;
  if (json::resolve_environment_in(written, findings) != written) std::abort();
  return 0;
}
