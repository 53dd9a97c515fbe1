// SPDX-License-Identifier: Apache-2.0
// GET /status of the Admin API: what the store has and what each worker serves by. `store` and `status`
// outlive the task; control thread.
#pragma once
#include "admin/call.h"
#include "plugin/status.h"
#include "store/store.h"

namespace sluice::admin {

// {"node", "stored_revision", "applied_revision", "workers": [{"worker", "applied_revision"}], "store"}, of a
// store that several share also "nodes": [{"node", "applied_revision", "told"}]. A store that cannot be asked
// is named in "error", and its revision is left out.
async::Task<http::Reply> node_status(store::Store& store, const plugin::Status& status, Call call);

}  // namespace sluice::admin
