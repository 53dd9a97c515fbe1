// SPDX-License-Identifier: Apache-2.0
// Any config for any plugin, its consumers and its metadata: it is read, or refused with sentences.
#include <cstdint>

#include "json/text.h"
#include "plugins/list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  auto config = json::parse({reinterpret_cast<const char*>(data), size});
  if (!config) return 0;
  for (const auto* type : plugins::all()) {
    json::Findings findings;
    json::Reader reader(findings, "", "invalid configuration: ");
    std::string credential;
    (void)type->make(*config, reader, "/apisix/routes/1");
    if (type->make_consumer != nullptr) (void)type->make_consumer(*config, reader, credential);
    if (type->make_metadata != nullptr) (void)type->make_metadata(*config, reader);
    (void)findings.sentence();
  }
  return 0;
}
