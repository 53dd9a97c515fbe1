// SPDX-License-Identifier: Apache-2.0
// prometheus and http-logger over a fake exchange.
#include <gtest/gtest.h>

#include "base/compression.h"
#include "plugin/testing.h"

namespace sluice::plugins {
extern const plugin::PluginType http_logger, prometheus;
namespace {

using plugin::testing::Bench;
using plugin::testing::Call;
using plugin::testing::make;
using plugin::testing::parsed;
using plugin::testing::problem_of;

std::string metrics_text(plugin::Metrics& metrics, const plugin::MetricsSettings& settings) {
  plugin::MetricsSum sum;
  plugin::Metrics::Cursor cursor;
  for (auto slice = metrics.slice(cursor, 1);; slice = metrics.slice(cursor, 1)) {
    if (slice.empty()) {
      sum.add_dropped(slice);
      break;
    }
    sum.add(slice);
  }
  std::string text;
  while (sum.write(settings, 1, text)) {
  }
  return text;
}

void serve(Bench& bench, const plugin::Plugin& plugin, int status, const plugin::RouteInfo* route,
           std::string_view target = "/") {
  Call call(bench, target);
  call.x.route = route;
  call.respond(status, "hello");
  plugin.response(call.x);
  bench.clock.advance(7ms);
  bench.loop.run_once();
  call.x.upstream.response_time = 4ms;
  call.x.request_size = 100;
  call.x.response_size = 50;
  plugin.log(call.x);
}

TEST(Prometheus, counts_by_labels) {
  Bench bench;
  plugin::MetricsSettings settings;
  settings.buckets_ms = {5, 10};
  settings.series_max = 2;
  bench.worker.metrics.use(settings);
  const auto plugin = make(prometheus, "{}");
  const plugin::RouteInfo first{"1", "one", "", ""}, second{"2", "", "", ""}, third{"3", "", "", ""};
  serve(bench, *plugin, 200, &first);
  serve(bench, *plugin, 200, &first);
  serve(bench, *plugin, 200, &second);
  serve(bench, *plugin, 200, &third);
  const std::string text = metrics_text(bench.worker.metrics, settings);
  const std::string rest =
      "service=\"\",consumer=\"\",node=\"\",request_type=\"traditional_http\",request_llm_model=\"\",llm_"
      "model=\"\"";
  for (const auto& line :
       {"apisix_http_status{code=\"200\",route=\"1\",matched_uri=\"\",matched_host=\"\"," + rest +
            ",response_source=\"upstream\"} 2\n",
        "apisix_http_latency_bucket{type=\"request\",route=\"1\"," + rest + ",le=\"5\"} 0\n",
        "apisix_http_latency_bucket{type=\"request\",route=\"1\"," + rest + ",le=\"10\"} 2\n",
        "apisix_http_latency_bucket{type=\"upstream\",route=\"1\"," + rest + ",le=\"5\"} 2\n",
        "apisix_http_latency_sum{type=\"apisix\",route=\"1\"," + rest + "} 6\n",
        "apisix_http_latency_count{type=\"apisix\",route=\"2\"," + rest + "} 1\n",
        "apisix_bandwidth{type=\"ingress\",route=\"1\"," + rest + "} 200\n",
        "apisix_bandwidth{type=\"egress\",route=\"1\"," + rest + "} 100\n",
        std::string("apisix_metric_series_dropped_total{metric=\"http_status\"} 1\n"),
        std::string("# TYPE apisix_http_latency histogram\n")})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  EXPECT_EQ(text.find("route=\"3\""), std::string::npos);
}

TEST(Prometheus, names_and_disabled_labels) {
  Bench bench;
  bench.use_metadata(prometheus, R"x({"disabled_labels": {"http_status": ["route"]}})x");
  const auto by_name = make(prometheus, R"x({"prefer_name": true})x");
  const plugin::RouteInfo route{"1", "a\"b", "7", "svc"};
  serve(bench, *by_name, 404, &route);
  const std::string text = metrics_text(bench.worker.metrics, {});
  EXPECT_NE(text.find("apisix_http_status{code=\"404\",route=\"\""), std::string::npos) << text;
  EXPECT_NE(text.find("apisix_bandwidth{type=\"ingress\",route=\"a\\\"b\",service=\"svc\""),
            std::string::npos)
      << text;
}

TEST(Prometheus, counts_once_by_the_plugin_nearest_to_the_route) {
  Bench bench;
  const auto global = make(prometheus, "{}"), own = make(prometheus, "{}");
  Call call(bench);
  call.respond(200);
  global->response(call.x);
  own->response(call.x);
  global->log(call.x);
  own->log(call.x);
  EXPECT_NE(metrics_text(bench.worker.metrics, {}).find("response_source=\"upstream\"} 1\n"),
            std::string::npos);
}

TEST(Prometheus, settings) {
  json::Findings findings;
  const auto settings = plugin::MetricsSettings::from(
      parsed(R"x({"metric_prefix": "p_", "default_buckets": [10, 5], "series_max": 7,
                  "metrics": {"bandwidth": {"extra_labels": [{"host": "$host"}, {"bad": "host"}]}}})x"),
      findings);
  EXPECT_EQ(settings.prefix, "p_");
  EXPECT_EQ(settings.buckets_ms, (std::vector<std::int64_t>{5, 10}));
  EXPECT_EQ(settings.series_max, 7U);
  ASSERT_EQ(settings.extra[2].size(), 1U);
  EXPECT_EQ(settings.extra[2][0].name, "host");
  EXPECT_EQ(findings.problems.size(), 1U);
}

struct Logger {
  explicit Logger(std::string config, std::string_view metadata = {}) {
    config.insert(1, R"x("uri": "http://127.0.0.1:1/log", )x");
    plugin = make(http_logger, config, &problem);
    if (!metadata.empty()) bench.use_metadata(http_logger, metadata);
    bench.worker.answer = [this](const plugin::Outbound&) -> Result<plugin::OutboundReply> {
      return plugin::OutboundReply{status, {}, "no"};
    };
  }
  ~Logger() {
    if (auto local = bench.worker.take_local(*plugin)) bench.wait(closed(*local));
  }
  static async::Task<int> closed(plugin::Local& local) {
    co_await local.close();
    co_return 0;
  }
  json::Value serve(std::string_view target = "/a?x=1&x=2&y", std::string_view content = "the response",
                    std::string_view coding = "identity") {
    Call call(bench, target);
    call.header("X-One", "1").header("X-Two", "a").header("x-two", "b");
    call.respond(200, content);
    if (coding != "identity") call.x.response.headers.add("Content-Encoding", coding);
    bench.wait(plugin->access(call.x));
    plugin->body(call.x);
    plugin->log(call.x);
    return {};
  }
  const auto& asked() {
    bench.settle();
    return bench.worker.asked;
  }
  Bench bench;
  std::string problem;
  int status = 200;
  std::unique_ptr<const plugin::Plugin> plugin;
};

TEST(HttpLogger, tells_what_a_compressed_body_says) {
  std::string coded;
  make_gzip_compressor(1, -1)->add("readable", Compressor::Then::end, coded);
  for (const auto& [content, told] :
       {std::pair<std::string, std::string>{coded, "readable"}, {"no gzip", "no gzip"}}) {
    Logger logger(R"x({"batch_max_size": 1, "include_resp_body": true})x");
    logger.serve("/", content, "gzip");
    ASSERT_EQ(logger.asked().size(), 1U);
    EXPECT_EQ(parsed(logger.asked()[0].body).find("response")->text("body"), told);
  }
}

TEST(HttpLogger, posts_the_full_entry) {
  Logger logger(
      R"x({"batch_max_size": 1, "auth_header": "Basic x", "include_resp_body": true,
                     "max_resp_body_bytes": 3})x");
  ASSERT_NE(logger.plugin, nullptr) << logger.problem;
  logger.serve();
  ASSERT_EQ(logger.asked().size(), 1U);
  const auto& post = logger.asked()[0];
  EXPECT_EQ(post.method + " " + post.url, "POST http://127.0.0.1:1/log");
  EXPECT_EQ(post.headers[1].second, "Basic x");
  const auto entry = parsed(post.body);
  const auto* request = entry.find("request");
  ASSERT_NE(request, nullptr) << post.body;
  EXPECT_EQ(request->text("url"), "http://test.com:9080/a?x=1&x=2&y");
  EXPECT_EQ(json::dump(*request->find("querystring")), R"x({"x":["1","2"],"y":true})x");
  EXPECT_EQ(json::dump(*request->find("headers")), R"x({"host":"test.com","x-one":"1","x-two":["a","b"]})x");
  EXPECT_EQ(entry.find("response")->text("body"), "the");
  EXPECT_EQ(entry.text("route_id"), "no-matched");
  EXPECT_EQ(entry.text("client_ip"), "127.0.0.1");
}

TEST(HttpLogger, batches_by_size_and_time) {
  Logger logger(
      R"x({"batch_max_size": 2, "inactive_timeout": 3,
                     "log_format": {"uri": "$uri", "k": {"v": 1, "none": "$arg_none"}}})x");
  logger.serve("/1");
  EXPECT_EQ(logger.asked().size(), 0U);
  logger.serve("/2");
  ASSERT_EQ(logger.asked().size(), 1U);
  EXPECT_EQ(
      logger.asked()[0].body,
      R"x([{"uri":"/1","k":{"v":1},"route_id":"no-matched"},)x"
      R"x({"uri":"/2","k":{"v":1},"route_id":"no-matched"}])x");
  logger.serve("/3");
  logger.bench.pass(2900ms);
  EXPECT_EQ(logger.asked().size(), 1U);
  logger.bench.pass(200ms);
  EXPECT_EQ(logger.asked().size(), 2U);
}

TEST(HttpLogger, retries_then_drops) {
  Logger logger(R"x({"batch_max_size": 1, "max_retry_count": 1, "retry_delay": 2})x");
  logger.status = 500;
  logger.serve();
  EXPECT_EQ(logger.asked().size(), 1U);
  logger.bench.pass(2s);
  EXPECT_EQ(logger.asked().size(), 2U);
  logger.bench.pass(10s);
  EXPECT_EQ(logger.asked().size(), 2U);
  logger.status = 200;
  logger.serve();
  EXPECT_EQ(logger.asked().size(), 3U);
}

TEST(HttpLogger, is_bounded_and_closes_with_what_is_left) {
  Logger logger(R"x({"concat_method": "new_line"})x",
                R"x({"max_pending_entries": 3, "log_format": {"p": "$uri"}})x");
  for (int i = 0; i < 5; ++i) logger.serve("/");
  EXPECT_EQ(logger.asked().size(), 0U);
  auto local = logger.bench.worker.take_local(*logger.plugin);
  ASSERT_NE(local, nullptr);
  logger.bench.wait(Logger::closed(*local));
  ASSERT_EQ(logger.asked().size(), 1U);
  const std::string line = R"x({"p":"/","route_id":"no-matched"})x";
  EXPECT_EQ(logger.asked()[0].body, line + "\n" + line + "\n" + line);
}

TEST(HttpLogger, problems) {
  for (const char* bad : {"{}", R"x({"uri": "nowhere"})x", R"x({"uri": "tcp://127.0.0.1:1"})x",
                          R"x({"uri": "http://127.0.0.1", "include_req_body_expr": [["a"]]})x"})
    EXPECT_NE(problem_of(http_logger, bad), "") << bad;
}

}  // namespace
}  // namespace sluice::plugins
