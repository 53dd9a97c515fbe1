// SPDX-License-Identifier: Apache-2.0
#include "admin/configs_check.h"

#include <fmt/core.h>

#include <set>

#include "json/text.h"
#include "store/config_file.h"

namespace sluice::admin {
namespace {

using json::Value;

// Problems of each item of a list, and ids that stand twice.
class ListCheck {
 public:
  ListCheck(const plugin::Validator& validator, const model::Resource& resource,
            std::vector<ConfigsProblem>& problems)
      : validator_(validator), resource_(resource), problems_(problems) {}

  void check(const Value& item, std::size_t index) {
    const Value* named = item.find("id") ? item.find("id") : item.find(resource_.key);
    const Value id = named ? *named : Value("");
    if (!item.is_object()) return add(id, index, "must be an object");
    const auto read = store::read_item(resource_, item, index);
    json::Findings findings;
    validator_.check(*read.kind, read.id, read.body, findings);
    for (const auto& problem : findings.problems)
      add(id, index, problem.sentence.empty() ? problem.what : problem.sentence);
    if (!read.named || known_.insert(read.id).second) return;
    const std::string_view called = read.kind != &resource_     ? "credential id"
                                    : item.find("id") == nullptr ? resource_.key
                                                                 : "id";
    add(id, index, fmt::format("found duplicate {} {} in {}", called, read.id, resource_.path));
  }

 private:
  void add(const Value& id, std::size_t index, std::string what) {
    problems_.push_back({std::string(resource_.path), id, index, std::move(what)});
  }

  const plugin::Validator& validator_;
  const model::Resource& resource_;
  std::vector<ConfigsProblem>& problems_;
  std::set<std::string> known_;
};

Value to_value(const ConfigsProblem& problem) {
  auto line = Value::object({{"resource_type", problem.kind}});
  if (problem.id) {
    line.set("resource_id", *problem.id);
    line.set("index", problem.index);
  }
  line.set("error", problem.what);
  return line;
}

}  // namespace

Value describe_problems(const std::vector<ConfigsProblem>& problems) {
  auto list = Value::array();
  for (const auto& problem : problems) list.push_back(to_value(problem));
  return list;
}

std::optional<http::Reply> parse_configs(const Call& call, Value& document) {
  if (call.body.empty()) return error_reply(400, "invalid request body: empty request body");
  const bool yaml = call.content_type.starts_with("application/yaml");
  auto parsed = yaml ? json::parse_yaml(call.body) : json::parse(call.body);
  if (!parsed) return error_reply(400, "invalid request body: " + parsed.error().what);
  if (!parsed->is_object()) {
    return error_reply(400, yaml ? "invalid request body: invalid yaml request body"
                                 : "invalid request body: it must be an object");
  }
  document = std::move(*parsed);
  return std::nullopt;
}

std::vector<ConfigsProblem> check_configs(const plugin::Validator& validator, const Value& document) {
  std::vector<ConfigsProblem> problems;
  for (const auto& [key, value] : document.as_object()) {
    const bool is_version = key.ends_with(conf_version_suffix);
    const auto kind = is_version ? key.substr(0, key.size() - conf_version_suffix.size()) : key;
    const auto* resource = model::find_resource(kind);
    const auto complain = [&](std::string what) { problems.push_back({kind, {}, 0, std::move(what)}); };
    if (is_version) {
      if (!value.is_integer())
        complain(fmt::format("{} must be a number, got {}", key, json::name_of(value.kind())));
    } else if (!resource) {
      complain(fmt::format("Unsupported resource type: {}", key));
    } else if (!value.is_array()) {
      complain(fmt::format("{} must be an array, got {}", key, json::name_of(value.kind())));
    } else {
      ListCheck list(validator, *resource, problems);
      std::size_t index = 0;
      for (const auto& item : value.as_array()) list.check(item, index++);
    }
  }
  return problems;
}

http::Reply validate_configs(const plugin::Validator& validator, const Call& call) {
  Value document;
  if (auto refusal = parse_configs(call, document)) return std::move(*refusal);
  const auto problems = check_configs(validator, document);
  if (problems.empty()) return json_text_reply(200, "{}");
  return json_reply(400, Value::object({{"error_msg", "Configuration validation failed"},
                                        {"errors", describe_problems(problems)}}));
}

}  // namespace sluice::admin
