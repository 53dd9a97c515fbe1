// SPDX-License-Identifier: Apache-2.0
// The names of upstreams' nodes, resolved on the control loop and again when their time to live is over. Owned
// by the process, used by the compiler of snapshots.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/loop.h"
#include "upstream/names.h"

namespace sluice::main {

// `changed` is called when a name in use has other addresses than before.
std::unique_ptr<upstream::Names> make_names(async::Loop& loop, const std::vector<std::string>& servers,
                                            std::function<void(std::string_view name)> changed);

}  // namespace sluice::main
