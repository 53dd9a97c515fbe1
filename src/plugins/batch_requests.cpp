// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "base/text.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/held_body.h"
#include "plugin/outbound.h"

namespace sluice::plugins {
namespace {

using json::Value;
using plugin::Exchange;
using plugin::Outbound;
using plugin::VerdictTask;


constexpr std::string_view part_of_a_batch = "X-Sluice-Batch";  // a field that every request of one has

// One request of a batch.
struct Part {
  std::string method = "GET", path, body;
  double version = 1.1;
  Value query, headers;
  bool ssl_verify = false;

  void describe(json::Fields& field) {
    field("method", method, "Method of the request.")
        .one_of({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"});
    field("path", path, "Path of the request.").required().length(1, 65536);
    field("body", body, "Body of the request.");
    field("version", version, "Version of HTTP; every request goes out as 1.1.").one_of({1.0, 1.1});
    field("query", query, "Arguments of the query.").must_be(json::Kind::object);
    field("headers", headers, "Header fields.").must_be(json::Kind::object);
    field("ssl_verify", ssl_verify, "Means nothing: requests stay in this process.");
  }
};

struct BatchOfRequests {
  Value query, headers;
  std::int64_t timeout = 30000;
  std::vector<Part> pipeline;

  void describe(json::Fields& field) {
    field("query", query, "Arguments that every request gets.").must_be(json::Kind::object);
    field("headers", headers, "Header fields that every request gets.").must_be(json::Kind::object);
    field("timeout", timeout, "Milliseconds for each request.").range(1, 3'600'000);
    field("pipeline", pipeline, "The requests, in order.").required().min_items(1);
    field.open();
  }
};

std::string text_of(const Value& value) { return value.is_string() ? value.as_string() : json::dump(value); }

void add_missing(plugin::OutboundFields& fields, const Value& object) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.as_object()) {
    const std::string text = text_of(value);
    if (http::valid_name(name) && http::valid_value(text) && plugin::find_field(fields, name) == nullptr)
      fields.emplace_back(lowered(name), text);
  }
}

void add_arguments(plugin::OutboundFields& arguments, const Value& object) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.as_object()) {
    const bool there = std::ranges::any_of(arguments, [&](const auto& one) { return one.first == name; });
    if (!there) arguments.emplace_back(name, text_of(value));
  }
}

// The fields of the request that carried the batch go with each, but those about its body and its connection.
void add_outer(plugin::OutboundFields& fields, const Exchange& x) {
  for (const auto& field : x.request.headers) {
    const bool hop = field.id != http::HeaderId::other && (http::mask(field.id) & http::hop_by_hop) != 0;
    const bool own = starts_with_ignoring_case(field.name, "content-") ||
                     field.id == http::HeaderId::expect || field.id == http::HeaderId::accept_encoding;
    if (!hop && !own && plugin::find_field(fields, field.name) == nullptr)
      fields.emplace_back(lowered(field.name), field.value);
  }
}

Outbound request_of(const Exchange& x, const BatchOfRequests& batch, const Part& part) {
  Outbound request;
  request.method = part.method;
  request.body = part.body;
  request.timeout = std::chrono::milliseconds(batch.timeout);
  request.verify = false;  // to ourselves
  plugin::OutboundFields arguments, &fields = request.headers;
  add_arguments(arguments, part.query);
  add_arguments(arguments, batch.query);
  add_missing(fields, part.headers);
  add_missing(fields, batch.headers);
  add_outer(fields, x);
  if (const auto* host = plugin::find_field(fields, "host")) request.authority = *host;
  std::erase_if(fields, [](const auto& field) {
    return field.first == "host" || field.first == "content-length" || field.first == "transfer-encoding" ||
           field.first == "x-real-ip";
  });
  fields.emplace_back("X-Real-IP", x.remote_text);
  fields.emplace_back(part_of_a_batch, "1");
  request.server_name = x.request.host;
  request.url = (x.request.secure ? "https://" : "http://") + x.server.text();
  for (const char c : part.path) {  // no line of a request ends in its path
    if (static_cast<unsigned char>(c) > 0x20 && c != 0x7f) request.url.push_back(c);
    else percent_encode({&c, 1}, request.url);
  }
  if (!arguments.empty())
    request.url += (part.path.find('?') == std::string::npos ? "?" : "&") + plugin::form_of(arguments);
  return request;
}

Value shown(const Result<plugin::OutboundReply>& answer) {
  if (!answer) return Value::object({{"status", 504}, {"reason", "upstream timeout"}});
  Value headers = Value::object();
  for (const auto& [name, value] : answer->headers) headers.set(name, value);
  Value out = Value::object({{"status", answer->status},
                             {"reason", http::reason_of(answer->status)},
                             {"headers", std::move(headers)}});
  if (!answer->body.empty()) out.set("body", answer->body);
  return out;
}

Value not_asked() {
  return Value::object({{"status", 503}, {"reason", "not asked: the answers before have max_answers_size"}});
}

plugin::Verdict refuse(int status, std::string_view why) {
  return plugin::reply_json(status, Value::object({{"error_msg", why}}));
}

}  // namespace

// Takes many requests in one, runs them in order through this gateway, and answers them together.
class BatchRequests final : public plugin::Plugin {
 public:
  struct Config {
    void describe(json::Fields& field) { field.open(); }
  };
  struct Metadata {
    std::uint64_t max_body_size = 1 << 20, max_pipeline_items = 1000, max_answers_size = 16 << 20;

    void describe(json::Fields& field) {
      field("max_body_size", max_body_size, "Bytes a batch may have.").at_least(1);
      field("max_pipeline_items", max_pipeline_items, "Requests a batch may have.").at_least(1);
      field(
          "max_answers_size", max_answers_size,
          "Bytes of bodies that the answers of a batch may have together; when they have, the requests that "
          "are left are not asked, and answered 503.")
          .at_least(1);
      field.open();
    }
  };

  explicit BatchRequests(const Config&) {}
  void log(Exchange&) const override {}  // it does what it does at its endpoint

  static VerdictTask answer(Exchange& x) {
    if (x.request.headers.has(part_of_a_batch)) co_return refuse(400, "a batch may not hold a batch");
    const Metadata limits = x.metadata<BatchRequests>();
    auto reading = plugin::whole_body(x, limits.max_body_size);
    const auto body = co_await reading;
    if (!body) co_return refuse(413, body.error().what);
    if (body->empty())
      co_return refuse(400, "no request body, you should give at least one pipeline setting");
    const auto parsed = json::parse(*body);
    if (!parsed)
      co_return refuse(400, "invalid request body: " + std::string(*body) + ", err: " + parsed.error().what);
    BatchOfRequests batch;
    json::Findings findings;
    if (!json::read(*parsed, batch, findings))
      co_return refuse(400, "bad request body: " + findings.sentence());
    if (batch.pipeline.size() > limits.max_pipeline_items)
      co_return refuse(400, "too many pipeline requests, " + std::to_string(batch.pipeline.size()) +
                                " exceeds the maximum of " + std::to_string(limits.max_pipeline_items));
    Value answers = Value::array();
    std::uint64_t held = 0;
    for (const Part& part : batch.pipeline) {
      if (held >= limits.max_answers_size) {
        answers.push_back(not_asked());
        continue;
      }
      auto asking = x.worker.ask(request_of(x, batch, part));
      const auto one = co_await asking;
      if (one) held += one->body.size();
      answers.push_back(shown(one));
    }
    co_return plugin::reply_json(200, std::move(answers));
  }
};

namespace {
constexpr plugin::PublicApi apis[] = {{"POST", "/apisix/batch-requests", &BatchRequests::answer}};
}  // namespace

extern constexpr plugin::PluginType batch_requests = plugin::plugin<BatchRequests>({
    .name = "batch-requests",
    .summary =
        "Takes many requests in one and answers them together, at an endpoint that public-api lets out.",
    .priority = 4010,
    .example = "{}",
    .apis = apis,
});

}  // namespace sluice::plugins
