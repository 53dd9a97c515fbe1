// SPDX-License-Identifier: Apache-2.0
#include "plugins/list.h"

#include <array>

namespace sluice::plugins {

extern const plugin::PluginType key_auth;

namespace {
constexpr std::array in_order{
    &key_auth,
};
}  // namespace

std::span<const plugin::PluginType* const> all() { return in_order; }

}  // namespace sluice::plugins
