// SPDX-License-Identifier: Apache-2.0
#include "model/secret_reference.h"

#include <fmt/core.h>

#include <cstdlib>

#include "base/text.h"
#include "json/text.h"

namespace sluice::model {
namespace {

using json::Findings;
using json::Value;

constexpr std::string_view env = "$env://", manager = "$secret://";

bool is_env(std::string_view text) { return equals_ignoring_case(text.substr(0, env.size()), env); }

// The text that `reference` stands for; else why there is none.
Result<std::string> read_environment(std::string_view reference) {
  const auto path = reference.substr(env.size());
  const auto slash = path.find('/');
  const std::string name(path.substr(0, slash));
  const char* found = std::getenv(name.c_str());
  if (found == nullptr)
    return fail(ErrorKind::not_found,
                fmt::format("names the environment variable {}, which is not set", name));
  if (slash == path.npos) return std::string(found);
  const auto member = path.substr(slash + 1);
  const auto object = json::parse(found);
  const Value* value = object ? object->find(member) : nullptr;
  if (value == nullptr || !value->is_string())
    return fail(ErrorKind::not_found,
                fmt::format("names {} in the environment variable {}, which is no JSON object with that text",
                            member, name));
  return value->as_string();
}

void resolve(Value& value, const std::string& path, Findings& findings) {
  if (value.is_array()) {
    std::size_t index = 0;
    for (auto& item : value.as_array()) resolve(item, fmt::format("{}/{}", path, index++), findings);
  } else if (value.is_object()) {
    for (auto& [key, member] : value.as_object())
      resolve(member, path + "/" + json::pointer_segment(key), findings);
  } else if (value.is_string() && value.as_string().starts_with(manager)) {
    constexpr auto why = "refers to a secret manager, and none is asked by this version: write $env://NAME";
    findings.problems.push_back({path, why, {}});
  } else if (value.is_string() && is_env(value.as_string())) {
    auto text = read_environment(value.as_string());
    if (text) value = std::move(*text);
    else findings.warnings.push_back({path, text.error().what + ": not applied until it is", {}});
  }
}

}  // namespace

bool is_secret_reference(std::string_view text) { return text.starts_with(manager) || is_env(text); }

void resolve_secret_references(const Resource& resource, Value& body, Findings& findings) {
  if (resource.path == "ssls") return resolve(body, "", findings);
  Value* plugins = resource.plugins == PluginUse::metadata ? nullptr : body.find("plugins");
  if (plugins != nullptr) resolve(*plugins, "/plugins", findings);
}

}  // namespace sluice::model
