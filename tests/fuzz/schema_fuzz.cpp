// SPDX-License-Identifier: Apache-2.0
// A JSON Schema of an operator's and a body of a client's, a line each: a schema compiles or gives a problem,
// and then any body holds or does not, within the bounds.
#include <algorithm>
#include <string_view>

#include "json/schema.h"
#include "json/text.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sluice;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const auto document = json::parse(input.substr(0, line));
  auto body = json::parse(input.substr(std::min(line + 1, input.size())));
  if (!document || !body) return 0;
  if (const auto schema = json::Schema::compile(*document)) (void)schema->check(*body);
  return 0;
}
