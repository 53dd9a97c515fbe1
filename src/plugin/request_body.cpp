// SPDX-License-Identifier: Apache-2.0
#include "plugin/request_body.h"

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "json/path.h"
#include "json/text.h"
#include "plugin/form.h"
#include "plugin/graphql.h"
#include "plugin/held_body.h"

namespace sluice::plugin {
namespace {

using Value = Variable::Value;
using http::HeaderId;

// What was found in the body of one exchange.
struct Looked {
  bool held = false;  // hold_body has been here
  std::unique_ptr<Form> form;
  std::unique_ptr<json::Value> document;
  std::unique_ptr<GraphqlRequest> graphql;
  std::vector<std::pair<std::string_view, Value>> paths;  // answers, by path
};
constexpr char looked_key = 0;

Looked& looked(Exchange& x) { return x.state<Looked>(looked_key); }

// The body when a variable may look into it; else says that it is wanted.
std::optional<std::string_view> body_of(Exchange& x, std::size_t bytes_max) {
  const http::Body* body = x.request.body;
  if (body == nullptr || x.request.content_length > static_cast<std::int64_t>(bytes_max)) return std::nullopt;
  const auto whole = body->whole();
  if (whole) return whole->size() <= bytes_max ? whole : std::nullopt;
  if (!looked(x).held) x.wants_body = true;
  return std::nullopt;
}

std::string_view content_type(const Exchange& x) { return x.request.headers.get(HeaderId::content_type); }

bool is_form(std::string_view type) {
  return starts_with_ignoring_case(type, "application/x-www-form-urlencoded");
}

const Form* form_of(Exchange& x) {
  if (const auto* known = looked(x).form.get()) return known;
  const auto body = body_of(x, x.worker.body_limits.arguments);
  if (!body) return nullptr;
  const std::string_view type = content_type(x);
  looked(x).form =
      std::make_unique<Form>(is_form(type) ? Form::of_urlencoded(*body) : Form::of_multipart(*body, type));
  return looked(x).form.get();
}

Value read_form_field(Exchange& x, const Variable& variable) {
  if (!is_form(content_type(x))) return std::nullopt;
  const Form* form = form_of(x);
  return form == nullptr ? std::nullopt : form->find(variable.argument());
}

// What a condition compares with: texts as they are, an array as a list.
Value shown(Exchange& x, const std::vector<const json::Value*>& values, bool list) {
  std::string text;
  for (const json::Value* value : values) {
    if (value->is_object() || value->is_array() || value->is_null()) continue;
    const std::string item = value->is_string() ? value->as_string() : json::dump(*value);
    if (!list) return x.arena.copy(item);
    if (item.find('\n') == std::string::npos) text.append("\n").append(item);
  }
  return list ? Value(x.arena.copy(text)) : std::nullopt;
}

const json::Value* document_of(Exchange& x) {
  if (const auto* known = looked(x).document.get()) return known;
  const auto body = body_of(x, x.worker.body_limits.arguments);
  if (!body) return nullptr;
  auto parsed = json::parse(*body);
  looked(x).document = std::make_unique<json::Value>(parsed ? std::move(*parsed) : json::Value());
  return looked(x).document.get();
}

Value read_json(Exchange& x, const json::Path& path) {
  const json::Value* document = document_of(x);
  if (document == nullptr) return std::nullopt;
  const auto found = path.find(*document);
  if (found.empty()) return std::nullopt;
  if (!path.plain()) return shown(x, found, true);
  if (!found[0]->is_array()) return shown(x, found, false);
  std::vector<const json::Value*> items;
  for (const json::Value& item : found[0]->as_array()) items.push_back(&item);
  return shown(x, items, true);
}

Value read_path(Exchange& x, const Variable& variable) {
  auto& known = looked(x).paths;
  const std::string& asked = variable.argument();
  const auto before = std::ranges::find(known, asked, [](const auto& pair) { return pair.first; });
  if (before != known.end()) return before->second;
  const auto path = json::Path::parse(asked);
  const std::string_view type = content_type(x);
  Value found;
  if (type.find("application/json") != std::string_view::npos) {
    found = path ? read_json(x, *path) : std::nullopt;
  } else if (is_form(type) || type.find("multipart/form-data") != std::string_view::npos) {
    const Form* form = form_of(x);
    found = form == nullptr ? std::nullopt : form->find(asked);
  }
  if (!x.wants_body) looked(x).paths.emplace_back(x.arena.copy(asked), found);
  return found;
}

// The document of a GraphQL request (GraphQL over HTTP): the argument `query`, the member `query` of JSON, or
// the body.
Value graphql_document(Exchange& x) {
  if (x.request.method_id == http::Method::get) return find_variable("arg_query").read(x);
  if (x.request.method_id != http::Method::post) return std::nullopt;
  const auto body = body_of(x, x.worker.body_limits.graphql);
  if (!body || content_type(x).find("application/json") == std::string_view::npos) return body;
  auto parsed = json::parse(*body);
  const json::Value* query = parsed ? parsed->find("query") : nullptr;
  if (query == nullptr || !query->is_string()) return std::nullopt;
  return x.arena.copy(query->as_string());
}

const GraphqlRequest* graphql_of(Exchange& x) {
  if (const auto* known = looked(x).graphql.get()) return known;
  const Value document = graphql_document(x);
  if (!document && x.wants_body) return nullptr;
  auto request = document ? parse_graphql(*document) : std::nullopt;
  looked(x).graphql = std::make_unique<GraphqlRequest>(request ? std::move(*request) : GraphqlRequest());
  return looked(x).graphql.get();
}

Value read_graphql_operation(Exchange& x, const Variable&) {
  const auto* request = graphql_of(x);
  return request == nullptr || request->operation.empty() ? Value() : Value(request->operation);
}

Value read_graphql_name(Exchange& x, const Variable&) {
  const auto* request = graphql_of(x);
  return request == nullptr || request->root_fields.empty() ? Value() : Value(request->name);
}

Value read_graphql_root_fields(Exchange& x, const Variable&) {
  const auto* request = graphql_of(x);
  if (request == nullptr || request->root_fields.empty()) return std::nullopt;
  std::string text;
  for (const std::string_view field : request->root_fields) text.append("\n").append(field);
  return x.arena.copy(text);
}

Value read_body_text(Exchange& x, const Variable&) {
  const auto body = body_of(x, x.worker.body_limits.arguments);
  return body ? Value(*body) : std::nullopt;
}

}  // namespace

Variable find_body_variable(std::string_view name) {
  constexpr std::string_view field = "post_arg_", path = "post_arg.";
  if (name.starts_with(field)) return Variable(read_form_field, std::string(name.substr(field.size())));
  if (name.starts_with(path)) {
    const std::string_view rest = name.substr(path.size());
    const auto parsed = json::Path::parse(rest);
    if (!parsed) return {};
    return Variable(read_path, std::string(rest), 0,
                    parsed->plain() ? Variable::Shape::either : Variable::Shape::list);
  }
  if (name == "graphql_operation") return Variable(read_graphql_operation);
  if (name == "graphql_name") return Variable(read_graphql_name);
  if (name == "graphql_root_fields") return Variable(read_graphql_root_fields, {}, 0, Variable::Shape::list);
  if (name == "request_body") return Variable(read_body_text);
  return {};
}

bool mentions_body_variable(const json::Value& config) {
  const std::string text = json::dump(config);
  return text.find("post_arg") != std::string::npos || text.find("graphql_") != std::string::npos ||
         text.find("request_body") != std::string::npos;
}

async::Task<Result<>> hold_body(Exchange& x) {
  Looked& state = looked(x);
  x.wants_body = false;
  http::Request& request = x.request;
  const auto limits = x.worker.body_limits;
  const std::size_t bytes_max = std::max(limits.arguments, limits.graphql);
  const bool needless = state.held || request.body == nullptr || request.body->whole() ||
                        request.content_length > static_cast<std::int64_t>(bytes_max);
  state.held = true;
  if (needless) co_return Result<>();
  auto* body = x.arena.make<HeldBody>(*request.body);
  auto holding = body->hold(bytes_max);
  auto held = co_await holding;
  if (!held) co_return held;
  request.body = body;
  if (body->complete()) request.content_length = static_cast<std::int64_t>(body->text().size());
  co_return held;
}

}  // namespace sluice::plugin
