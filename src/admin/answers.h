// SPDX-License-Identifier: Apache-2.0
// How writes are answered, single or many: stored, refused, tried, or when all workers serve by them. Control
// thread.
#pragma once
#include "admin/call.h"
#include "admin/change_set.h"
#include "plugin/status.h"

namespace sluice::admin {

// `?dry_run=true`: everything is checked, nothing stored.
inline bool is_trial(const Call& call) { return call.arguments.is("dry_run", "true"); }
ChangeSet::Order order_of(const Call& call);

// The reply for an error of the store, or of another call that is in the way.
http::Reply store_failed(const Error& error);
// The reply to a single write that was refused.
http::Reply refused_reply(const ChangeSet& changes);
// [{"resource": "routes/1", "action": "update"}, …]; with values as `describe_change` has them. What stays as
// it is, is left out.
enum class Detail : std::uint8_t { names, values };
json::Value describe_drafts(const ChangeSet& changes, Detail detail);
// `,"dry_run":true,"changes":[…]`: what would change, for a trial; else empty.
std::string trial_members(const Call& call, const ChangeSet& changes);

// Adds the revision, and with `?wait=applied` waits for the workers. `status` outlives the task.
async::Task<http::Reply> answer_written(plugin::Status& status, Call call, http::Reply reply,
                                        store::Revision revision);

}  // namespace sluice::admin
