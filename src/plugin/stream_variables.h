// SPDX-License-Identifier: Apache-2.0
// The variables of a connection below HTTP, as nginx's stream module and APISIX name them; absent for
// requests.
#pragma once
#include <string_view>

#include "plugin/variable.h"

namespace sluice::plugin {

// False when it is none of them.
Variable find_stream_variable(std::string_view name);

}  // namespace sluice::plugin
