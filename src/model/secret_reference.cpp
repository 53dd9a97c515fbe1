// SPDX-License-Identifier: Apache-2.0
#include "model/secret_reference.h"

#include <fmt/core.h>

#include <algorithm>
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

// Calls `visit` with every text where references count, and its path.
class Texts {
 public:
  using Visit = std::function<void(Value& text, const std::string& path)>;
  explicit Texts(const Visit& visit) : visit_(visit) {}

  void of(const Resource& resource, Value& body) {
    if (resource.path == "ssls") return in(body, "");
    Value* plugins = resource.plugins == PluginUse::metadata ? nullptr : body.find("plugins");
    if (plugins != nullptr) in(*plugins, "/plugins");
    if (Value* tls = body.find("tls")) in(*tls, "/tls");
    Value* upstream = body.find("upstream");
    if (Value* tls = upstream == nullptr ? nullptr : upstream->find("tls")) in(*tls, "/upstream/tls");
  }

 private:
  void in(Value& value, const std::string& path) {
    if (value.is_array()) {
      std::size_t index = 0;
      for (auto& item : value.as_array()) in(item, fmt::format("{}/{}", path, index++));
    } else if (value.is_object()) {
      for (auto& [key, member] : value.as_object()) in(member, path + "/" + json::pointer_segment(key));
    } else if (value.is_string()) {
      visit_(value, path);
    }
  }
  const Visit& visit_;
};

bool is_for_manager(const Value& text) { return text.as_string().starts_with(manager); }

}  // namespace

void resolve_secret_references(const Resource& resource, Value& body, Findings& findings,
                               const FindSecret& find) {
  const Texts::Visit resolve = [&](Value& value, const std::string& path) {
    if (!is_secret_reference(value.as_string()) || (is_for_manager(value) && !find)) return;
    auto text = is_for_manager(value) ? find(value.as_string()) : read_environment(value.as_string());
    if (text) value = std::move(*text);
    else findings.warnings.push_back({path, text.error().what + ": not applied until it is", {}});
  };
  Texts(resolve).of(resource, body);
}

std::vector<std::string> secret_references_in(const Resource& resource, const Value& body) {
  std::vector<std::string> all;
  const Texts::Visit note = [&](Value& value, const std::string&) {
    if (is_for_manager(value) && std::ranges::find(all, value.as_string()) == all.end())
      all.push_back(value.as_string());
  };
  Value copy = body;
  Texts(note).of(resource, copy);
  return all;
}

Result<SecretReference> parse_secret_reference(std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorKind::protocol,
                fmt::format("is '{}', which names no {}: write $secret://KIND/ID/NAME", text, what));
  };
  text.remove_prefix(std::min(text.size(), manager.size()));
  const auto kind = text.find('/');
  if (kind == text.npos) return wrong("secret manager");
  const auto id = text.find('/', kind + 1);
  if (id == text.npos) return wrong("id of a secret manager");
  if (id + 1 == text.size()) return wrong("secret");
  return SecretReference{std::string(text.substr(0, id)), std::string(text.substr(id + 1))};
}

Result<std::string> read_reference(std::string_view text) {
  if (!is_env(text)) return std::string(text);
  auto found = read_environment(text);
  if (!found) found.error().what.insert(0, std::string(text) + " ");
  return found;
}

}  // namespace sluice::model
