// SPDX-License-Identifier: Apache-2.0
// A store whose secrets are sealed on their way in and opened on their way out, so that neither its entries
// nor its history hold them in plain. An entry with a secret that cannot be opened comes without it, and
// says so: `unreadable`. One loop.
#pragma once
#include <memory>

#include "store/seal.h"
#include "store/store.h"

namespace sluice::store {

std::unique_ptr<Store> seal_store(std::unique_ptr<Store> store, std::unique_ptr<Seal> seal);

}  // namespace sluice::store
