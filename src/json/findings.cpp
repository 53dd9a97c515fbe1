// SPDX-License-Identifier: Apache-2.0
#include "json/findings.h"

#include <fmt/core.h>

#include "base/text.h"
#include "json/text.h"

namespace sluice::json {
namespace {

// The type of a value as Lua names it, since APISIX's texts do.
std::string_view lua_type(const Value& value) {
  switch (value.kind()) {
    case Kind::null:
      return "userdata";
    case Kind::integer:
      return "number";
    case Kind::array:
    case Kind::object:
      return "table";
    default:
      return name_of(value.kind());
  }
}

}  // namespace

std::string Findings::sentence() const {
  if (problems.empty()) return {};
  const auto& first = problems.front();
  return first.sentence.empty() ? first.what : first.sentence;
}

bool is_secret_reference(std::string_view text) {
  return text.starts_with("$secret://") || starts_with_ignoring_case(text, "$env://");
}

Value to_value(const Problems& problems) {
  Array list;
  for (const auto& problem : problems)
    list.push_back(Value::object({{"path", problem.path}, {"what", problem.what}}));
  return list;
}

std::string Reader::path() const {
  std::string path = base_;
  for (const auto& step : steps_) {
    path += '/';
    path += step.index == no_index ? pointer_segment(step.member) : std::to_string(step.index);
  }
  return path;
}

std::string Reader::sentence_start() const {
  std::string text = always_ + opening_;
  for (const auto& step : steps_) {
    if (step.index != no_index) {
      text += fmt::format("failed to validate item {}: ", step.index + 1);
    } else if (!step.pattern.empty()) {
      text += fmt::format("failed to validate {} (matching \"{}\"): ", step.member, step.pattern);
    } else {
      text += fmt::format("property \"{}\" validation failed: ", step.member);
    }
  }
  return text;
}

bool Reader::add(Problem problem) {
  if (findings_->problems.size() < Findings::problems_max) {
    findings_->problems.push_back(std::move(problem));
  } else {
    ++dropped_;
  }
  return false;
}

bool Reader::fail(std::string what, std::string apisix) {
  auto sentence = sentence_start() + (apisix.empty() ? what : apisix);
  return add({path(), std::move(what), std::move(sentence)});
}

bool Reader::fail_member(std::string_view member, std::string what, std::string apisix) {
  if (apisix.empty()) {
    Step step(*this, member);
    return fail(std::move(what));
  }
  return add({path() + "/" + pointer_segment(member), std::move(what), sentence_start() + apisix});
}

bool Reader::fail_plainly(std::string_view member, std::string what, std::string sentence) {
  auto where = path();
  if (!member.empty()) where += "/" + pointer_segment(member);
  return add({std::move(where), std::move(what), always_ + sentence});
}

bool Reader::adopt(Findings found, std::string apisix) {
  auto sentence = sentence_start() + apisix;
  for (auto& problem : found.problems) add({std::move(problem.path), std::move(problem.what), sentence});
  for (auto& warning : found.warnings) findings_->warnings.push_back(std::move(warning));
  return found.ok();
}

bool Reader::wrong_type(std::string_view expected, const Value& got) {
  return fail(fmt::format("must be of type {}, not {}", expected, name_of(got.kind())),
              fmt::format("wrong type: expected {}, got {}", expected, lua_type(got)));
}

void Reader::warn(std::string_view member, std::string what) {
  if (findings_->warnings.size() >= Findings::problems_max) return;
  auto where = path();
  if (!member.empty()) where += "/" + pointer_segment(member);
  findings_->warnings.push_back({std::move(where), std::move(what), {}});
}

void Reader::refers(std::string_view resource, std::string id) {
  findings_->references.push_back({std::string(resource), std::move(id), path()});
}

}  // namespace sluice::json
