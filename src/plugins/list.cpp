// SPDX-License-Identifier: Apache-2.0
#include "plugins/list.h"

#include <array>

namespace sluice::plugins {

extern const plugin::PluginType cors, http_logger, ip_restriction, key_auth, limit_count, prometheus,
    proxy_rewrite, response_rewrite;

namespace {
constexpr std::array in_order{
    &cors,        &ip_restriction,   &key_auth,   &proxy_rewrite,
    &limit_count, &response_rewrite, &prometheus, &http_logger,
};
}  // namespace

std::span<const plugin::PluginType* const> all() { return in_order; }

}  // namespace sluice::plugins
