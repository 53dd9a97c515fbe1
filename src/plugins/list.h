// SPDX-License-Identifier: Apache-2.0
// Every plugin, in the order they run: the one list a new plugin is added to. APISIX's priority numbers stay
// with each plugin as data; a test checks the list against them. Constant, any thread.
#pragma once
#include <span>

#include "plugin/plugin.h"

namespace sluice::plugins {

std::span<const plugin::PluginType* const> all();

}  // namespace sluice::plugins
