// SPDX-License-Identifier: Apache-2.0
// Any YAML as config.yaml, and any JSON as the config of every plugin: read or refused with sentences.
#include "json/text.h"
#include "main/config.h"
#include "plugin/plugin.h"
#include "plugins/list.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace sluice;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size < 8192) {
    json::Findings findings;
    const auto config = main::read_config(text, "/prefix", findings);
    SLUICE_CHECK(config.has_value() == findings.ok());
  }
  const auto value = json::parse(text);
  if (!value) return 0;
  for (const plugin::PluginType* type : plugins::all()) {
    json::Findings findings;
    json::Reader reader(findings);
    const auto made = type->make(*value, reader, "/apisix/routes/1");
    SLUICE_CHECK((made != nullptr) == findings.ok());
    std::string credential;
    if (type->make_consumer != nullptr) type->make_consumer(*value, reader, credential);
    if (type->make_metadata != nullptr) type->make_metadata(*value, reader);
  }
  return 0;
}
