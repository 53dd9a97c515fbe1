// SPDX-License-Identifier: Apache-2.0
// The whole configuration at once, /configs, as APISIX's stand-alone mode has it: put with a digest that says
// which one it is and a version for each kind, read back as it was put. It is kept in the store, an entry a
// resource as ever, beside an entry that says the rest. Lives on the control thread, longer than its tasks.
#pragma once
#include "admin/call.h"
#include "plugin/status.h"
#include "plugin/validator.h"
#include "store/store.h"

namespace sluice::admin {

class Configs {
 public:
  static constexpr std::size_t body_max = std::size_t{64} << 20;

  Configs(store::Store& store, const plugin::Validator& validator, plugin::Status& status, const Clock& clock)
      : store_(store), validator_(validator), status_(status), clock_(clock) {}

  // GET, HEAD and PUT.
  async::Task<http::Reply> handle(Call call);

 private:
  struct About;
  class Update;
  async::Task<http::Reply> show(Call call);
  async::Task<http::Reply> put(Call call);
  // No value: another call has put one meanwhile.
  async::Task<std::optional<http::Reply>> attempt(Call call, const json::Value* document);
  async::Task<Result<About>> about();
  // What stands below a kind, by key.
  async::Task<Result<>> add_entries(std::string kind, Update* update);

  store::Store& store_;
  const plugin::Validator& validator_;
  plugin::Status& status_;
  const Clock& clock_;
};

}  // namespace sluice::admin
