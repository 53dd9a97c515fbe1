// SPDX-License-Identifier: Apache-2.0
// The store that config.yaml asks for: embedded, etcd, or a file, wired to resolver and validator; and
// how it stands, as the status API says it. Owned by the process, control thread.
#pragma once
#include <memory>
#include <string>

#include "main/config.h"
#include "main/names.h"
#include "plugin/secret_places.h"
#include "plugin/validator.h"
#include "store/store.h"

namespace sluice::main {

// What a store is made with; all of it outlives the store.
struct StoreNeeds {
  async::Loop& control;
  Names& names;
  const plugin::Validator& validator;
  const plugin::SecretPlaces& secrets;
};

// The error is one sentence for the operator.
Result<std::unique_ptr<store::Store>> open_store(const Config& config, const std::string& prefix,
                                                 StoreNeeds needs);

// What the status API says about it; null for a store that is part of this process.
json::Value describe_standing(const store::Standing& standing, Instant now);
// Health checkers under the names that their upstreams have with `provider`: in a file "/upstreams/1" is what
// in a store is "/apisix/upstreams/1".
json::Value named_as_stored(json::Value checkers, std::string_view provider);

}  // namespace sluice::main
