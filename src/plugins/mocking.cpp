// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/header_edits.h"
#include "plugin/sample.h"

namespace sluice::plugins {
namespace {

using plugin::Exchange;

// "application/json" of "application/json;charset=utf8".
std::string media_type(std::string_view content_type) {
  return lowered(trim(content_type.substr(0, content_type.find(';'))));
}
bool is_xml(std::string_view type) { return type == "application/xml" || type == "text/xml"; }

}  // namespace

// Answers as an upstream would that is not there yet.
class Mocking final : public plugin::Plugin {
 public:
  struct Config {
    std::int64_t delay = 0;
    int response_status = 200;
    std::string content_type = "application/json;charset=utf8";
    std::optional<std::string> response_example;
    json::Value response_schema;
    bool with_mock_header = true;
    plugin::HeaderMap<plugin::HeaderText> response_headers;

    void describe(json::Fields& field) {
      constexpr int delay_max = 3600;
      field("delay", delay, "Seconds to wait before answering.").range(0, delay_max);
      field("response_status", response_status, "Status of the answer.").range(100, 999);
      field("content_type", content_type, "Content-Type of the answer: JSON, XML, text/plain or text/html.");
      field("response_example", response_example, "Body of the answer, with $variables.");
      field("response_schema", response_schema,
            "A JSON Schema that a body is made up from, with the examples it names; not used beside "
            "response_example.")
          .must_be(json::Kind::object);
      field("with_mock_header", with_mock_header, "Says who answered, in x-mock-by.");
      field("response_headers", response_headers, "Header fields of the answer, with $variables.")
          .min_properties(1).key_pattern("^[^:]+$");
      field.at_least_one_of({"response_example", "response_schema"});
      field.open();
      if (!field.reading()) return;
      static constexpr std::string_view known[]{"application/xml", "application/json", "text/plain",
                                                "text/html", "text/xml"};
      field.check_plainly(std::ranges::find(known, media_type(content_type)) != std::end(known),
                          "content_type",
                          "must be application/json, application/xml, text/xml, text/plain or text/html",
                          "unsupported content type!");
    }
  };

  explicit Mocking(Config config)
      : config_(std::move(config)),
        example_(plugin::Template::compile(config_.response_example.value_or(""), plugin::find_variable)),
        fields_(config_.response_headers),
        media_type_(media_type(config_.content_type)) {}

  plugin::VerdictTask access(Exchange& x) const override {
    if (config_.delay > 0) return wait_and_answer(x);
    return answer(x);
  }

 private:
  plugin::VerdictTask wait_and_answer(Exchange& x) const {
    co_await x.worker.loop.sleep_until(x.worker.loop.now() + std::chrono::seconds(config_.delay));
    co_return answer(x);
  }

  plugin::Verdict answer(Exchange& x) const {
    auto verdict = plugin::reply(config_.response_status, std::string());
    verdict->content_type = config_.content_type;
    if (config_.response_example) {
      example_.render(x, verdict->body);
    } else {
      const json::Value made = plugin::sample_of(config_.response_schema);
      verdict->body = is_xml(media_type_) ? plugin::xml_of(made, "data") : json::dump(made);
    }
    if (config_.with_mock_header) verdict->headers.emplace_back("x-mock-by", "Sluice/" SLUICE_VERSION);
    fields_.add_to(*verdict, x);
    return verdict;
  }

  Config config_;
  plugin::Template example_;
  plugin::ReplyFields fields_;
  std::string media_type_;
};

extern constexpr plugin::PluginType mocking = plugin::plugin<Mocking>({
    .name = "mocking",
    .summary = "Answers as an upstream would that is not there yet.",
    .priority = 10900,
    .example = R"({"content_type": "application/json", "response_status": 200,
                   "response_schema": {"type": "object",
                                       "properties": {"id": {"type": "integer", "example": 7}}}})",
});

}  // namespace sluice::plugins
