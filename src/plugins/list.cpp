// SPDX-License-Identifier: Apache-2.0
#include "plugins/list.h"

#include <array>

namespace sluice::plugins {

extern const plugin::PluginType api_breaker, basic_auth, brotli, client_control, consumer_restriction, cors,
    echo, fault_injection, gzip, hmac_auth, http_logger, ip_restriction, jwt_auth, key_auth, limit_conn,
    limit_count, limit_req, mocking, prometheus, proxy_rewrite, real_ip, redirect, referer_restriction,
    request_id, request_validation, response_rewrite, ua_restriction, uri_blocker;

namespace {
constexpr std::array in_order{
    &real_ip,         &client_control,     &request_id,     &fault_injection,     &mocking,
    &cors,            &ip_restriction,     &ua_restriction, &referer_restriction, &uri_blocker,
    &request_validation, &hmac_auth,       &basic_auth,     &jwt_auth,            &key_auth,
    &consumer_restriction, &proxy_rewrite, &api_breaker,    &limit_conn,          &limit_count,
    &limit_req,       &brotli,             &gzip,           &redirect,            &response_rewrite,
    &prometheus,      &echo,               &http_logger,
};
}  // namespace

std::span<const plugin::PluginType* const> all() { return in_order; }

}  // namespace sluice::plugins
