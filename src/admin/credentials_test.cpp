// SPDX-License-Identifier: Apache-2.0
#include "admin/testing.h"

#include <gtest/gtest.h>

namespace sluice::admin {
namespace {

class CredentialTest : public testing::TestWithParam<bool>, protected TestApi {
 protected:
  CredentialTest() : TestApi(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(Both, CredentialTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Sqlite" : "Memory"; });

TEST_P(CredentialTest, CredentialsGoWithTheirConsumer) {
  const std::string body = R"({"plugins":{"sample":{"key":"k"}}})";
  EXPECT_EQ(error_of(call("PUT", "consumers/a/credentials/1", body)), "404 consumer not found");
  call("PUT", "consumers", R"({"username":"a"})");
  EXPECT_EQ(call("GET", "consumers/a/credentials"), R"(404 {"message":"Key not found"})");
  EXPECT_EQ(call("PUT", "consumers/a/credentials/1", body),
            R"(201 {"key":"/apisix/consumers/a/credentials/1","value":{"plugins":{"sample":{"key":"k"}},)"
            R"("id":"1","create_time":1700003600,"update_time":1700003600}})");
  call("PUT", "consumers/a/credentials/2", "{}");
  call("PUT", "consumers", R"({"username":"b"})");
  EXPECT_EQ(value("consumers/a/credentials").find("total")->as_int(), 2);
  EXPECT_EQ(value("consumers").find("total")->as_int(), 2);
  EXPECT_EQ(call("DELETE", "consumers/a?dry_run=true").substr(0, 4), "200 ");
  EXPECT_EQ(call("DELETE", "consumers/a"), R"(200 {"deleted":"1","key":"/apisix/consumers/a"})");
  EXPECT_EQ(call("DELETE", "consumers/a"), R"(404 {"message":"Key not found"})");
  EXPECT_EQ(call("GET", "consumers/a/credentials/1"), R"(404 {"message":"Key not found"})");
  EXPECT_EQ(value("consumers").find("total")->as_int(), 1);
}

// The look whether a credential is free and the write are not one step: of two calls at once one is refused.
TEST_P(CredentialTest, TwoCallsAtOnceDoNotGiveAwayOneCredential) {
  Arena arena;
  http::Request first(arena), second(arena);
  TextBody one(R"({"username":"a","plugins":{"sample":{"key":"k"}}})"),
      two(R"({"username":"b","plugins":{"sample":{"key":"k"}}})");
  for (auto* request : {&first, &second}) {
    request->method = "PUT";
    request->method_id = http::Method::put;
    request->path = "/apisix/admin/consumers";
    request->headers.add("X-API-KEY", admin_key);
  }
  first.body = &one;
  second.body = &two;
  std::optional<http::Reply> answers[2];
  loop_.spawn(keep(api_->handle(first, IpAddress::loopback()), answers[0]));
  loop_.spawn(keep(api_->handle(second, IpAddress::loopback()), answers[1]));
  while (!answers[0] || !answers[1]) loop_.run_once(std::chrono::seconds(10));
  EXPECT_EQ(answers[0]->status, 201);
  EXPECT_EQ(answers[1]->status, GetParam() ? 503 : 201);  // the store in memory answers at once
}

}  // namespace
}  // namespace sluice::admin
