// SPDX-License-Identifier: Apache-2.0
// The text of a PEM file that config.yaml names (certificates, keys, authorities); what is in it is read by
// whoever makes a TLS context of it. Start of the process.
#pragma once
#include <string>

#include "base/result.h"

namespace sluice::main {

// A path that does not begin with '/' is below PREFIX/conf. The error names `key`, a path in config.yaml.
Result<std::string> read_pem_file(std::string path, const std::string& prefix, std::string_view key);

}  // namespace sluice::main
