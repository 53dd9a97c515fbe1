// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"
#include "base/text.h"
#include "json/schema.h"
#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/held_body.h"
#include "plugin/values.h"

namespace sluice::plugins {
namespace {

using json::Schema;
using json::Value;
using plugin::Exchange;

Value lower_members(const Value& object) {
  Value lower = Value::object();
  for (const auto& [name, member] : object.as_object()) lower.set(lowered(name), member);
  return lower;
}

void lower_names(Value& list) {
  if (!list.is_array()) return;
  for (Value& name : list.as_array())
    if (name.is_string()) name = lowered(name.as_string());
}

// Names of header fields have no case: the schema's are compared in lower case, wherever it speaks of the
// header as a whole.
void lower_field_names(Value& schema) {
  if (!schema.is_object()) return;
  for (auto& [keyword, said] : schema.as_object()) {
    if (keyword == "required") lower_names(said);
    if ((keyword == "properties" || keyword == "dependencies") && said.is_object())
      said = lower_members(said);
    if (keyword == "dependencies" && said.is_object()) {
      for (auto& [name, wanted] : said.as_object()) {
        lower_names(wanted);
        lower_field_names(wanted);
      }
    }
    for (const std::string_view one : {"not", "if", "then", "else"})
      if (keyword == one) lower_field_names(said);
    for (const std::string_view many : {"allOf", "anyOf", "oneOf"})
      if (keyword == many && said.is_array())
        for (Value& one : said.as_array()) lower_field_names(one);
  }
}

Value of_fields(Value schema) {
  lower_field_names(schema);
  return schema;
}

constexpr std::size_t fields_asked_max = 16;  // for more it is cheaper to gather all fields

}  // namespace

// Lets requests through whose header and body hold to JSON Schemas (draft 7). A JSON body is passed on as it
// was understood, so that the upstream cannot read another one out of it.
class RequestValidation final : public plugin::Plugin {
 public:
  struct Config {
    Value header_schema, body_schema;
    std::uint64_t max_req_body_size = plugin::body_held_default;
    int rejected_code = 400;
    std::string rejected_msg;

    void describe(json::Fields& field) {
      field("header_schema", header_schema, "Schema of the header: an object of fields, names without case.")
          .must_be(json::Kind::object);
      field("body_schema", body_schema, "Schema of the body, JSON or a form.").must_be(json::Kind::object);
      field("max_req_body_size", max_req_body_size,
            "Bytes of body read to check it; a larger one is refused.")
          .at_least(1);
      field("rejected_code", rejected_code, "Status of a refusal.").range(200, 599);
      field("rejected_msg", rejected_msg, "What a refusal says; what is wrong when absent.").length(1, 256);
      field.at_least_one_of({"header_schema", "body_schema"});
      field.open();
      if (!field.reading()) return;
      check_schema(field, "header_schema", of_fields(header_schema));
      check_schema(field, "body_schema", body_schema);
    }

   private:
    static void check_schema(json::Fields& field, std::string_view name, const Value& schema) {
      if (!schema.is_object()) return;
      if (const auto compiled = Schema::compile(schema); !compiled)
        field.check_plainly(false, name, compiled.error().what, compiled.error().what);
    }
  };

  explicit RequestValidation(Config config) : config_(std::move(config)) {
    if (config_.header_schema.is_object()) {
      header_ = *Schema::compile(of_fields(config_.header_schema));
      fields_asked_ = header_->members_asked();
      if (fields_asked_ && fields_asked_->size() > fields_asked_max) fields_asked_.reset();
    }
    if (config_.body_schema.is_object()) body_ = *Schema::compile(config_.body_schema);
  }

  plugin::VerdictTask rewrite(Exchange& x) const override {
    if (header_) {
      Value headers = fields_asked_ ? plugin::headers_value(x.request.headers, *fields_asked_)
                                    : plugin::headers_value(x.request.headers);
      if (const auto wrong = header_->check(headers)) return refuse(*wrong);
    }
    if (!body_) return plugin::pass();
    return check_body(x);
  }

 private:
  plugin::Verdict refuse(const std::string& why) const {
    log::info("request-validation: {}", why);
    return plugin::reply(config_.rejected_code, config_.rejected_msg.empty() ? why : config_.rejected_msg);
  }

  plugin::VerdictTask check_body(Exchange& x) const {
    auto reading = plugin::whole_body(x, config_.max_req_body_size);
    const auto body = co_await reading;
    if (!body) co_return refuse(body.error().what);
    if (x.request.body == nullptr) co_return refuse("the request has no body");
    if (x.request.headers.repeated(http::HeaderId::content_type))
      co_return refuse("the request has more than one Content-Type");
    const auto type = x.request.headers.get(http::HeaderId::content_type);
    const bool form = starts_with_ignoring_case(type, "application/x-www-form-urlencoded");
    auto parsed = form ? Result<Value>(plugin::arguments_value(*body, SIZE_MAX)) : json::parse(*body);
    if (!parsed) co_return refuse(parsed.error().what);
    if (const auto wrong = body_->check(*parsed)) co_return refuse(*wrong);
    if (!form) plugin::replace_body(x, json::dump(*parsed));
    co_return plugin::pass();
  }

  Config config_;
  std::optional<Schema> header_, body_;
  std::optional<std::vector<std::string>> fields_asked_;  // by header_schema; nothing: any
};

extern constexpr plugin::PluginType request_validation = plugin::plugin<RequestValidation>({
    .name = "request-validation",
    .summary = "Lets requests through whose header and body hold to JSON Schemas.",
    .priority = 2800,
    .example = R"x({"body_schema": {"type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string", "maxLength": 64}}}})x",
});

}  // namespace sluice::plugins
