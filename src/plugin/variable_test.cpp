// SPDX-License-Identifier: Apache-2.0
#include "plugin/variable.h"

#include <gtest/gtest.h>

#include "plugin/exchange.h"

namespace sluice::plugin {
namespace {

class LonelyWorker final : public Worker {
 public:
  using Worker::Worker;
  async::Task<Result<OutboundReply>> ask(Outbound) override {
    return Result<OutboundReply>(fail(ErrorKind::refused, "this worker asks nobody"));
  }
  async::Task<Result<std::unique_ptr<net::Stream>>> connect(ConnectTo) override {
    return Result<std::unique_ptr<net::Stream>>(fail(ErrorKind::refused, "nor connects"));
  }
  async::Task<Result<std::unique_ptr<net::DatagramSocket>>> connect_datagrams(ConnectTo) override {
    return Result<std::unique_ptr<net::DatagramSocket>>(fail(ErrorKind::refused, "nor connects"));
  }
};

class VariableTest : public testing::Test {
 protected:
  VariableTest() {
    x.request.method = "GET";
    x.request.target = "/a%20b?x=1&y=%41+b&flag&x=2&%7a=9";
    x.request.path = "/a b";
    x.request.query = "x=1&y=%41+b&flag&x=2&%7a=9";
    x.request.host = "foo.com";
    x.request.authority = "Foo.com:9080";
    x.request.headers.add("Host", "Foo.com:9080");
    x.request.headers.add("Cookie", "a=1; b = two");
    x.request.headers.add("Cookie", "c=3");
    x.request.headers.add("X-Own_Field", "own");
    x.request.headers.add("X-Forwarded-For", "1.1.1.1");
    x.request.headers.add("X-Forwarded-For", "2.2.2.2");
    x.request.headers.add("Authorization", "Basic YWxpY2U6c2VjcmV0");
    x.response.headers.add("Content-Type", "text/plain");
    x.response.headers.add("Set-Cookie", "sid = 7; Path=/");
    x.response.status = 200;
    x.upstream.authority = "svc.test:8080";
    x.upstream.response_time = std::chrono::milliseconds(1234);
    parameter = {"id", "42"};
    x.parameters = &parameter;
    x.parameter_count = 1;
  }

  std::string read(std::string_view name) {
    const auto value = find_variable(name).read(x);
    return value ? std::string(*value) : "<absent>";
  }

  ManualClock clock;
  async::Loop loop{clock};
  LonelyWorker worker{loop, 0};
  Exchange x{worker, *Endpoint::parse("10.0.0.9:1234"), *Endpoint::parse("[::1]:9080")};
  Exchange::Parameter parameter;
};

TEST_F(VariableTest, reads) {
  const struct {
    const char* name;
    std::string value;
  } rows[] = {
      {"arg_x", "1"},
      {"arg_y", "A b"},
      {"arg_flag", "true"},
      {"arg_z", "9"},
      {"arg_none", "<absent>"},
      {"arg_", "<absent>"},
      {"cookie_a", "1"},
      {"cookie_b", "two"},
      {"cookie_c", "3"},
      {"cookie_d", "<absent>"},
      {"http_host", "Foo.com:9080"},
      {"host", "foo.com"},
      {"http_x_own_field", "own"},
      {"http_X-Own-Field", "own"},
      {"http_x_forwarded_for", "1.1.1.1, 2.2.2.2"},
      {"http_cookie", "a=1; b = two; c=3"},
      {"http_none", "<absent>"},
      {"sent_http_content_type", "text/plain"},
      {"uri", "/a b"},
      {"request_uri", "/a%20b?x=1&y=%41+b&flag&x=2&%7a=9"},
      {"is_args", "?"},
      {"scheme", "http"},
      {"request_method", "GET"},
      {"remote_addr", "10.0.0.9"},
      {"remote_port", "1234"},
      {"server_addr", "::1"},
      {"server_port", "9080"},
      {"remote_user", "alice"},
      {"status", "200"},
      {"uri_param_id", "42"},
      {"request_type", "traditional_http"},
      {"binary_remote_addr", std::string("\x0a\0\0\x09", 4)},
      {"proxy_add_x_forwarded_for", "1.1.1.1, 2.2.2.2, 10.0.0.9"},
      {"upstream_unresolved_host", "svc.test"},
      {"upstream_cookie_sid", "7"},
      {"upstream_cookie_none", "<absent>"},
      {"ssl_protocol", "<absent>"},
      {"upstream_response_time", "1.234"},
      {"upstream_connect_time", "<absent>"},
      {"route_id", "<absent>"},
      {"request_time", "0.000"},
      {"upstream_addr", "<absent>"},
      {"nonsense", "<absent>"},
      {"https", ""},
  };
  for (const auto& row : rows) EXPECT_EQ(read(row.name), row.value) << row.name;
  EXPECT_FALSE(find_variable("nonsense"));
  EXPECT_TRUE(find_variable("arg_none"));
}

TEST_F(VariableTest, request_id_is_made_once) {
  const std::string id = read("request_id");
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(read("apisix_request_id"), id);
}

TEST_F(VariableTest, times_have_their_formats) {
  EXPECT_EQ(read("msec").find('.'), read("msec").size() - 4);
  EXPECT_EQ(read("time_local").size(), std::string("10/Oct/2000:13:55:36 +0000").size());
  EXPECT_EQ(read("time_iso8601").size(), std::string("2000-10-10T13:55:36+00:00").size());
}

}  // namespace
}  // namespace sluice::plugin
