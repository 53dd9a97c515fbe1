// SPDX-License-Identifier: Apache-2.0
// Every plugin, in the order they run.
#pragma once
#include <span>

#include "plugin/plugin.h"

namespace sluice::plugins {

std::span<const plugin::PluginType* const> all();

}  // namespace sluice::plugins
