// SPDX-License-Identifier: Apache-2.0
// The verbs of the Admin API, written once over the rows of model/resources.h. A write is checked as a whole
// (every problem at once), stored under conditions that keep references whole, and answered when it is
// durable, or with
// `?wait=applied` when all workers serve with it. `?dry_run=true` only checks. Lives on the control thread,
// longer than its tasks.
#pragma once
#include "admin/call.h"
#include "admin/claims.h"
#include "base/time.h"
#include "model/resources.h"
#include "plugin/status.h"
#include "plugin/validator.h"
#include "store/store.h"

namespace sluice::admin {

class Verbs {
 public:
  Verbs(store::Store& store, const plugin::Validator& validator, plugin::Status& status, const Clock& clock)
      : store_(store), validator_(validator), status_(status), clock_(clock) {}

  // `call.place` names a resource. 404 for a method that no resource has.
  async::Task<http::Reply> run(Call call);

 private:
  // A resource about to be stored.
  struct Draft {
    const model::Resource& resource;
    std::string id;  // as keys have it, with what it belongs to
    json::Value body;
    std::optional<store::Entry> previous;
    bool only_if_unchanged = false;  // since `previous` was read
    bool keeps_times = false;        // the body may bring its times (PATCH)
    bool sets_update_time = true;
  };

  async::Task<http::Reply> get(Call call);
  async::Task<http::Reply> put(Call call);
  async::Task<http::Reply> post(Call call);
  async::Task<http::Reply> patch(Call call);
  async::Task<http::Reply> remove(Call call);
  async::Task<Result<std::vector<std::string>>> keys_below(std::string prefix);
  // No value: something began to belong to the resource meanwhile. The last write is the resource itself.
  async::Task<std::optional<http::Reply>> commit_removal(Call call, store::Transaction transaction);

  // Finds the id in the path and in the body, in APISIX's order of complaints.
  std::optional<http::Reply> identify(const Call& call, json::Value& body, std::string& id) const;
  std::optional<http::Reply> apply_patch(const Call& call, json::Value& body,
                                         const json::Value& change) const;
  // No value: what was read has changed meanwhile.
  async::Task<std::optional<http::Reply>> save(Call call, Draft draft);
  async::Task<std::optional<http::Reply>> store_draft(Call call, Draft draft, json::Findings findings);
  // Adds what only the store can tell: missing references, plugins that stand elsewhere. An error is the
  // store's.
  async::Task<Result<json::Findings>> check_against_store(const model::Resource* resource, std::string id,
                                                          json::Value body, json::Findings findings);
  // Refuses what belongs to nothing.
  async::Task<std::optional<http::Reply>> check_owner(std::string key);
  async::Task<Result<std::string>> rule_with_plugin(const model::Resource* resource, std::string id,
                                                    json::Value body);
  void set_times(Draft& draft) const;
  async::Task<http::Reply> answer(Call call, http::Reply reply, store::Revision revision);

  store::Store& store_;
  const plugin::Validator& validator_;
  plugin::Status& status_;
  const Clock& clock_;
  Claims claims_;  // of credentials
};

}  // namespace sluice::admin
