// SPDX-License-Identifier: Apache-2.0
// The Admin API as APISIX 2.x has it (deployment.admin.admin_api_version: v2), for its clients: the same
// calls, with other names of two kinds and answers in the shape of etcd's second version. Pure functions, any
// thread.
#pragma once
#include "admin/call.h"

namespace sluice::admin {

// `ssl` and `proto` are names of kinds, too; lists are not filtered and have no pages.
void read_as_v2(Call& call);

// What is needed of a call to shape its answer.
struct AskedV2 {
  http::Method method = http::Method::get;
  bool of_list = false;
  std::string list_key;  // "/apisix/routes"
  std::string kind;      // as the path names it: "ssl"
};
AskedV2 asked_v2(const Call& call, std::string_view kind);
// An answer of the verbs, shaped anew: {"action", "node": {"key", "value"}}, lists under `node.nodes` with a
// `count`, failures of the store as 500.
http::Reply to_v2(const AskedV2& asked, http::Reply reply);

}  // namespace sluice::admin
