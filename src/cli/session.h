// SPDX-License-Identifier: Apache-2.0
// One call of the operator's: what was typed, the terminal, the gateway, found when it is first asked. And
// the verbs, a function each. Lives in `run`.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "cli/admin_client.h"
#include "cli/plan.h"
#include "cli/run.h"
#include "cli/screen.h"

namespace sluice::cli {

enum class Exit : std::uint8_t { done = 0, refused = 1, usage = 2 };
// An error is one sentence, and ends with exit code 1.
using Outcome = Result<Exit>;

class Session {
 public:
  Session(const Command& asked, const Surroundings& around) : command(asked), surroundings(around) {}

  Result<AdminClient*> client();
  void print_json(const json::Value& value) { out.raw(json_text(value)); }
  // A sentence about the call, on standard error.
  void say(std::string_view sentence) { err.line("sluice: " + std::string(sentence)); }
  Exit usage(std::string_view sentence) { return say(sentence), Exit::usage; }

  const Command& command;
  const Surroundings& surroundings;
  Screen out{stdout};
  Screen err{stderr};

 private:
  static std::string json_text(const json::Value& value);
  std::unique_ptr<AdminClient> client_;
};

Outcome list_resources(Session& session);
Outcome get_resource(Session& session);
Outcome put_resource(Session& session);
Outcome delete_resource(Session& session);
Outcome dump_configuration(Session& session);
Outcome apply_files(Session& session);
Outcome diff_files(Session& session);
Outcome list_history(Session& session);
Outcome show_revision(Session& session);
Outcome roll_back(Session& session);
Outcome lint_configuration(Session& session);
Outcome import_configuration(Session& session);
Outcome change_key(Session& session);
Outcome print_completion(Session& session);

// Sends what a plan changes as one transaction: all of it, or nothing and an error with every problem.
// With `Trial::yes` the gateway checks it and changes nothing.
enum class Trial : std::uint8_t { no, yes };
Result<json::Value> transact(AdminClient& client, const Plan& plan, Trial trial,
                             std::optional<std::int64_t> if_revision);
// The revision of the gateway's store, to be asked before its configuration is read: a plan made from that
// then holds for `if_revision`, or somebody else has written meanwhile.
Result<std::optional<std::int64_t>> stored_revision(AdminClient& client);

}  // namespace sluice::cli
