// SPDX-License-Identifier: Apache-2.0
// Where resources come from, and what this node does with them: `deployment.role`, its `config_provider` and
// `deployment.etcd` of config.yaml. Start of the process.
#pragma once
#include "main/config.h"
#include "main/section.h"

namespace sluice::main {

void read_role(Section& deployment, Config& config);

}  // namespace sluice::main
