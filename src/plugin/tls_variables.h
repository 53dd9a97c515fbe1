// SPDX-License-Identifier: Apache-2.0
// Variables of the client's TLS connection, with nginx's names: ssl_protocol, ssl_cipher, ssl_server_name,
// ssl_session_id, ssl_session_reused, ssl_client_verify and what the client's certificate says. Absent on
// connections without TLS. Workers.
#pragma once
#include "plugin/variable.h"

namespace sluice::plugin {

// The variable of a name that begins with ssl_; one that nothing provides is always absent.
Variable find_tls_variable(std::string_view name);

}  // namespace sluice::plugin
