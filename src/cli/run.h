// SPDX-License-Identifier: Apache-2.0
// The operator's command line: carries out one command against the Admin API of a running gateway, and tells
// a person, or with --json a program, what came of it. Main thread of a process of its own.
#pragma once
#include <functional>
#include <span>

#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/verbs.h"
#include "store/config_file.h"
#include "store/seal.h"

namespace sluice::cli {

// What only main/ knows.
struct Surroundings {
  std::function<Result<Place>()> gateway;  // as the configuration file, or the options, say
  store::CheckResource check;              // with every plugin of this program
  // What opens secrets that APISIX has encrypted with these keys, or with its own.
  std::function<std::unique_ptr<store::Seal>(std::vector<std::string> keyring)> seal_of;
  std::span<const Verb> more_verbs;        // of the process: "start", "stop", …; for the completion
};

// The exit code: 0 done, 1 refused or failed (a sentence on standard error says why), 2 the command makes no
// sense.
int run(const Command& command, const Surroundings& surroundings);

}  // namespace sluice::cli
