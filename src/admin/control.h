// SPDX-License-Identifier: Apache-2.0
// The control API (what the gateway holds and how its upstreams are) and the status API (is it up, is it
// ready). Both without a key, so they listen on loopback unless told otherwise, and show no secret. Live on
// the control thread, longer than their tasks.
#pragma once
#include "admin/call.h"
#include "plugin/secret_places.h"
#include "plugin/status.h"
#include "plugin/validator.h"
#include "store/store.h"

namespace sluice::admin {

class Control {
 public:
  Control(store::Store& store, const plugin::Validator& validator, const plugin::SecretPlaces& secret_places,
          plugin::Status& status)
      : store_(store), validator_(validator), secret_places_(secret_places), status_(status) {}
  // `request` outlives the task.
  async::Task<http::Reply> handle(http::Request& request);

 private:
  async::Task<http::Reply> health(std::vector<std::string> segments, bool page);
  async::Task<http::Reply> list(const model::Resource& resource);
  async::Task<http::Reply> show(const model::Resource& resource, std::string id);
  void append(std::string& list, const store::Entry& entry) const;
  // What this node holds while its store is out of reach.
  http::Reply list_held(const std::string& prefix);
  std::optional<store::Entry> find_held(const std::string& key);

  store::Store& store_;
  const plugin::Validator& validator_;
  const plugin::SecretPlaces& secret_places_;
  plugin::Status& status_;
};

// GET /status: 200 once started; GET /status/ready: 200 when every worker holds a configuration, else 503.
http::Reply status_reply(const plugin::Status& status, const http::Request& request);

}  // namespace sluice::admin
