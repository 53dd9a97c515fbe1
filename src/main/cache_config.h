// SPDX-License-Identifier: Apache-2.0
// apisix.proxy_cache of config.yaml: the zones that plugin proxy-cache keeps responses in. Relative paths
// begin at `prefix`.
#pragma once
#include <string>

#include "main/section.h"
#include "plugin/cache_zones.h"

namespace sluice::main {

void read_cache(Section section, const std::string& prefix, plugin::CacheOptions& into);

}  // namespace sluice::main
