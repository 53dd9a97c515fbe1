// SPDX-License-Identifier: Apache-2.0
// One place where secrets are kept, as a resource of kind `secrets` describes it: HashiCorp Vault (KV version
// 1 and 2), AWS Secrets Manager, Google Secret Manager. Belongs to one loop; tasks keep it alive.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "json/value.h"
#include "secrets/asker.h"

namespace sluice::secrets {

class Manager {
 public:
  virtual ~Manager() = default;
  // What stands behind the manager's id in a reference: "PATH/NAME". The error is a sentence for the
  // operator, without a secret in it.
  virtual async::Task<Result<std::string>> get(std::string key) = 0;
};

// `id` begins with the kind: "vault/1". The error says what is wrong with `body`.
Result<std::shared_ptr<Manager>> make_manager(std::string_view id, const json::Value& body,
                                              std::shared_ptr<Asker> asker);

std::shared_ptr<Manager> make_vault(const json::Value& body, std::shared_ptr<Asker> asker);
std::shared_ptr<Manager> make_aws(const json::Value& body, std::shared_ptr<Asker> asker);
std::shared_ptr<Manager> make_gcp(const json::Value& body, std::shared_ptr<Asker> asker);

// A member of a JSON object as a text; the error names `where`.
Result<std::string> member_text(const json::Value& object, std::string_view member, std::string_view where);
// What a server says when it refuses, cut to a length for the log.
std::unexpected<Error> refused(std::string_view who, const Answer& answer);

}  // namespace sluice::secrets
