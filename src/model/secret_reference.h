// SPDX-License-Identifier: Apache-2.0
// Texts that stand for a secret kept elsewhere: `$env://NAME` is the environment variable of that name, and
// `$env://NAME/MEMBER` a member of the JSON object it holds; `$secret://KIND/ID/…` is what the secret manager
// of that name has. They are replaced where APISIX does it, in the configs of plugins and in certificates and
// keys, when a resource is checked and when it is compiled; what is stored keeps the reference. Any thread.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

#include "json/findings.h"
#include "json/value.h"
#include "model/resources.h"

namespace sluice::model {

using json::is_secret_reference;

// What a manager has for a reference, as far as that is known; the error goes on after the path: "names …".
using FindSecret = std::function<Result<std::string>(std::string_view reference)>;

// Replaces every reference in `body`. What is not there is left as it is, with a warning; without `find` that
// is what managers have, without one.
void resolve_secret_references(const Resource& resource, json::Value& body, json::Findings& findings,
                               const FindSecret& find = {});
// Those to secret managers, each once.
std::vector<std::string> secret_references_in(const Resource& resource, const json::Value& body);

// `$secret://vault/1/a/b`: the manager's id is "vault/1", the key "a/b".
struct SecretReference {
  std::string manager, key;
};
Result<SecretReference> parse_secret_reference(std::string_view text);

// `text` itself, or what it stands for in the environment.
Result<std::string> read_reference(std::string_view text);

// What a compiler of resources asks for secrets. One thread.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  // What is known by now; from then on the answer is looked for and kept fresh.
  virtual Result<std::string> want(std::string_view reference) = 0;
  // The resource `secrets/ID`; null: it is gone.
  virtual void set_manager(std::string_view id, const json::Value* body) = 0;
};

}  // namespace sluice::model
