// SPDX-License-Identifier: Apache-2.0
// The certificate of the Admin API (https_admin), read from the files that config.yaml names. Used once, at
// start.
#pragma once
#include <memory>
#include <string>

#include "main/config.h"
#include "net/tls.h"

namespace sluice::main {

// Null when the Admin API speaks plain HTTP. The error names the file.
Result<std::shared_ptr<const net::TlsContext>> admin_tls(const Config& config, const std::string& prefix);

}  // namespace sluice::main
