// SPDX-License-Identifier: Apache-2.0
// Any body for any resource of the Admin API: it is read or refused with sentences, never more.
#include <cstdint>

#include "json/text.h"
#include "model/resources.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  auto body = json::parse({reinterpret_cast<const char*>(data), size});
  if (!body) return 0;
  for (const auto& resource : model::resources()) {
    json::Findings findings;
    json::Reader reader(findings, "", "invalid configuration: ");
    resource.check("1", *body, reader);
    (void)findings.sentence();
    (void)json::dump(json::to_value(findings.problems));
  }
  return 0;
}
