// SPDX-License-Identifier: Apache-2.0
#include "plugins/list.h"

#include <array>

namespace sluice::plugins {

extern const plugin::PluginType api_breaker, authz_keycloak, basic_auth, batch_requests, brotli,
    client_control, consumer_restriction, cors, echo, example_plugin, fault_injection, forward_auth, grpc_web,
    gzip, hmac_auth, http_logger, ip_restriction, jwt_auth, key_auth, limit_conn, limit_count, limit_req,
    mocking, mqtt_proxy, openid_connect, prometheus, proxy_cache, proxy_mirror, proxy_rewrite, public_api,
    real_ip, redirect, referer_restriction, request_id, request_validation, response_rewrite, syslog,
    traffic_split, ua_restriction, uri_blocker, wolf_rbac;

namespace {
constexpr std::array in_order{
    &real_ip,
    &client_control,
    &request_id,
    &fault_injection,
    &mocking,
    &batch_requests,
    &cors,
    &ip_restriction,
    &ua_restriction,
    &referer_restriction,
    &uri_blocker,
    &request_validation,
    &openid_connect,
    &wolf_rbac,
    &hmac_auth,
    &basic_auth,
    &jwt_auth,
    &key_auth,
    &consumer_restriction,
    &forward_auth,
    &authz_keycloak,
    &proxy_cache,
    &proxy_mirror,
    &proxy_rewrite,
    &api_breaker,
    &limit_conn,
    &limit_count,
    &limit_req,
    &mqtt_proxy,
    &brotli,
    &gzip,
    &traffic_split,
    &redirect,
    &response_rewrite,
    &grpc_web,
    &public_api,
    &prometheus,
    &echo,
    &http_logger,
    &syslog,
    &example_plugin,
};
}  // namespace

std::span<const plugin::PluginType* const> all() { return in_order; }

}  // namespace sluice::plugins
