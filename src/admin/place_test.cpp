// SPDX-License-Identifier: Apache-2.0
#include "admin/place.h"

#include <gtest/gtest.h>

#include "admin/call.h"

namespace sluice::admin {
namespace {

TEST(Place, Paths) {
  using http::Method;
  struct {
    Method method;
    std::string_view path, resource, name, above, id, sub_path;
  } cases[]{
      {Method::get, "/", "", "", "", "", ""},
      {Method::get, "/routes", "routes", "routes", "", "", ""},
      {Method::get, "/routes/1", "routes", "routes", "", "1", ""},
      {Method::patch, "/routes/1/plugins/x", "routes", "routes", "", "1", "plugins/x"},
      {Method::put, "/routes/1/other", "", "other", "", "", ""},
      {Method::get, "/nothing/1", "", "nothing", "", "", ""},
      {Method::get, "/consumers/jack", "consumers", "consumers", "", "jack", ""},
      {Method::get, "/consumers/jack/credentials", "credentials", "credentials", "jack/credentials/", "", ""},
      {Method::put, "/consumers/jack/credentials/a", "credentials", "credentials", "jack/credentials/", "a",
       ""},
      {Method::get, "/consumers/jack/credentials/a/b", "", "b", "jack/credentials/", "", ""},
      {Method::get, "/secrets", "secrets", "secrets", "", "", ""},
      {Method::get, "/secrets/vault", "secrets", "secrets", "vault/", "", ""},
      {Method::patch, "/secrets/vault/1/token", "secrets", "secrets", "", "vault/1", "token"},
      {Method::put, "/secrets/vault/1/token", "", "token", "", "", ""},
      {Method::get, "/credentials/a", "", "credentials", "", "", ""},
  };
  for (const auto& c : cases) {
    const auto place = find_place(split_path(c.path), c.method);
    EXPECT_EQ(place.resource ? place.resource->path : "", c.resource) << c.path;
    EXPECT_EQ(place.name, c.name) << c.path;
    EXPECT_EQ(place.above, c.above) << c.path;
    EXPECT_EQ(place.id, c.id) << c.path;
    EXPECT_EQ(place.sub_path, c.sub_path) << c.path;
  }
  EXPECT_EQ(find_place({"consumers", "jack", "credentials", "a"}, Method::get).key(),
            "/apisix/consumers/jack/credentials/a");
}

}  // namespace
}  // namespace sluice::admin
