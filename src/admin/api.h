// SPDX-License-Identifier: Apache-2.0
// The Admin API, whatever carries it: takes a request whose head has been read and gives the reply. APISIX's
// v3 shapes (docs/compatibility.md names the differences). Who may ask is decided here: address, then key,
// then role. Lives on the control thread, longer than its tasks.
#pragma once
#include <string>

#include "admin/configs.h"
#include "admin/doorman.h"
#include "admin/history.h"
#include "admin/keys.h"
#include "admin/transactions.h"
#include "admin/verbs.h"
#include "base/cidr.h"

namespace sluice::admin {

struct Settings {
  Keys keys;
  bool restricted = true;  // to addresses of `allow`
  CidrSet allow;
  bool stream_routes = false;  // they may be written
  bool whole = false;          // resources are written all at once, by PUT /configs, and in no other way
  enum class Version : std::uint8_t { v2, v3 };
  Version version = Version::v3;  // of the answers' shapes
  bool cors = true;  // pages from elsewhere may use it (they still need the key)
  AskSecrets ask_secrets = {};
};

class Api {
 public:
  Api(store::Store& store, const plugin::Validator& validator, plugin::Status& status, const Clock& clock,
      Settings settings);

  // `request` outlives the task. Nothing is read of the body of a request that is refused by its head.
  async::Task<http::Reply> handle(http::Request& request, IpAddress peer);

 private:
  http::Reply decorate(http::Reply reply) const;
  Access access(const http::Request& request, const Arguments& arguments) const;
  async::Task<http::Reply> run(http::Request& request, Call call);
  async::Task<http::Reply> run_on_resources(Call call);
  // A request may ask for the shapes of version 3 whatever is configured, by its own X-API-VERSION.
  bool speaks_v2(const Call& call) const;
  // Transactions, the whole configuration, the history, the status, the key that seals secrets.
  async::Task<http::Reply> run_on_the_whole(Call call);
  async::Task<http::Reply> change_key(Call call);

  Settings settings_;
  Doorman doorman_;
  plugin::Status& status_;
  const plugin::Validator& validator_;
  Desk desk_;
  Verbs verbs_;
  History history_;
  Transactions transactions_;
  Configs configs_;
};

}  // namespace sluice::admin
