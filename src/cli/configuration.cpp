// SPDX-License-Identifier: Apache-2.0
#include "cli/configuration.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_map>

#include "base/text.h"
#include "json/environment.h"
#include "json/text.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using json::Value;

// Members that are of whoever keeps the resource, not of the resource.
constexpr std::string_view kept_by_store[] = {"create_time", "update_time", "modifiedIndex"};
constexpr std::size_t files_max = 10'000;

void sort_members(Value& value) {
  if (value.is_array()) {
    for (Value& item : value.as_array()) sort_members(item);
  } else if (value.is_object()) {
    auto& members = value.as_object();
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    for (auto& member : members) sort_members(member.value);
  }
}

// The members that a kind declares, and where each stands in its declaration.
using Places = std::unordered_map<std::string, std::size_t>;
const Places& places_of(const model::Resource& resource) {
  static std::unordered_map<std::string_view, Places> known;
  const auto [found, fresh] = known.try_emplace(resource.path);
  if (!fresh) return found->second;
  const Value schema = resource.schema();
  if (const Value* properties = schema.find("properties"); properties != nullptr && properties->is_object()) {
    for (const auto& [name, value] : properties->as_object())
      found->second.emplace(name, found->second.size());
  }
  return found->second;
}

// Members as the kind declares them, unknown ones behind; what is nested by name.
void order_members(const model::Resource& resource, Value& body) {
  sort_members(body);
  const Places& places = places_of(resource);
  const auto place = [&](const json::Member& member) {
    const auto found = places.find(member.key);
    return found == places.end() ? places.size() : found->second;
  };
  auto& members = body.as_object();
  std::stable_sort(members.begin(), members.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

// `key-auth:` without anything behind it asks for the plugin with its defaults.
void fill_empty_plugins(Value& body) {
  Value* plugins = body.find("plugins");
  if (plugins == nullptr || !plugins->is_object()) return;
  for (auto& [name, config] : plugins->as_object()) {
    if (config.is_null()) config = Value::object();
  }
}

std::string text_of(const Value* value) {
  if (value == nullptr) return {};
  if (value->is_string()) return value->as_string();
  return value->is_integer() ? std::to_string(value->as_int()) : std::string();
}

std::string id_of(const model::Resource& resource, const Value& body) {
  std::string id = text_of(body.find(resource.key));
  return id.empty() ? text_of(body.find("id")) : id;
}

bool is_json_file(std::string_view text, std::string_view path) {
  if (path.ends_with(".json")) return true;
  return !path.ends_with(".yaml") && !path.ends_with(".yml") && trim(text).starts_with('{');
}

bool is_ours(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

Result<std::vector<std::string>> files_below(const std::string& path) {
  std::error_code error;
  if (path == "-" || !fs::is_directory(path, error)) return std::vector{path};
  std::vector<std::string> files;
  fs::recursive_directory_iterator at(path, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->is_regular_file(error) && is_ours(at->path())) files.push_back(at->path().string());
    if (files.size() > files_max)
      return fail(ErrorKind::limit, fmt::format("{} holds more than {} files", path, files_max));
  }
  if (error) return fail(ErrorKind::system, fmt::format("cannot read {}: {}", path, error.message()));
  if (files.empty())
    return fail(ErrorKind::not_found, fmt::format("there is no .yaml, .yml or .json file in {}", path));
  std::ranges::sort(files);
  return files;
}

void load_item(const model::Resource& listed, const Value& item, const std::string& origin, Loaded& into) {
  const auto problem = [&](std::string_view what) {
    into.problems.push_back(origin + " " + std::string(what));
  };
  if (!item.is_object()) return problem("must be an object");
  std::string id = id_of(listed, item);
  if (id.empty())
    return problem(fmt::format("has no {}: give it one, so that it is found again", listed.key));
  const auto& resource = model::kind_in_list(listed, id);
  if (const Item* other = into.configuration.find(resource, id))
    return problem(fmt::format("is {} a second time: it stands in {} already", other->name(), other->origin));
  Item loaded{&resource, std::move(id), item, origin};
  fill_empty_plugins(loaded.body);
  into.configuration.add(std::move(loaded));
}

}  // namespace

Configuration::Key Configuration::key_of(const model::Resource& resource, const std::string& id) {
  return {static_cast<std::size_t>(&resource - model::resources().data()), id};
}

bool Configuration::add(Item item) {
  for (const auto member : kept_by_store) item.body.erase(member);
  item.body.erase("id");
  item.body.erase(item.resource->key);
  order_members(*item.resource, item.body);
  Key key = key_of(*item.resource, item.id);
  return items_.try_emplace(std::move(key), std::move(item)).second;
}

const Item* Configuration::find(const model::Resource& resource, const std::string& id) const {
  const auto found = items_.find(key_of(resource, id));
  return found == items_.end() ? nullptr : &found->second;
}

Value with_name(const Item& item) {
  Value named = Value::object({{std::string(item.resource->key), item.id}});
  for (const auto& [key, value] : item.body.as_object()) named.as_object().append(key, value);
  return named;
}

Value document_of(const Configuration& configuration) {
  Value document = Value::object();
  for (const auto& [key, item] : configuration.items()) {
    // What belongs to another resource stands in that kind's list.
    const auto list = item.resource->under.empty() ? item.resource->path : item.resource->under;
    Value* kind = document.find(list);
    if (kind == nullptr) kind = &document.set(list, Value::array());
    kind->push_back(with_name(item));
  }
  return document;
}

std::string target_of(const model::Resource& resource, std::string_view id) {
  std::string target;
  const std::string key = model::key_of(resource, id);
  for (std::string_view part : Split(std::string_view(key).substr(model::key_prefix.size()), '/'))
    target.append("/").append(encoded(part));
  return target;
}

Result<std::vector<Item>> load_list(AdminClient& client, std::string target, MissingKind missing) {
  auto answer = client.ask("GET", std::move(target));
  if (!answer) return std::unexpected(answer.error());
  std::vector<Item> items;
  const bool has_none = answer->status == 400 || answer->status == 404;
  if (has_none && missing == MissingKind::is_empty) return items;
  if (!answer->good()) return fail(ErrorKind::conflict, refusal_text(*answer));
  const Value* list = answer->body.find("list");
  if (list == nullptr || !list->is_array())
    return fail(ErrorKind::protocol, "the gateway's answer holds no list: is that a Sluice of this version?");
  for (const Value& entry : list->as_array()) {
    const Value* value = entry.find("value");
    const auto parts = model::split_key(entry.text("key"));
    if (value != nullptr && value->is_object() && parts.resource != nullptr)
      items.push_back({parts.resource, std::string(parts.id), *value, {}});
  }
  return items;
}

std::string file_of(const Configuration& configuration) {
  return json::dump_yaml(document_of(configuration)) + "#END\n";
}

Result<std::string> read_text(const std::string& path) {
  std::stringstream text;
  if (path == "-") {
    char bytes[4096];
    while (const std::size_t count = std::fread(bytes, 1, sizeof bytes, stdin))
      text.write(bytes, static_cast<std::streamsize>(count));
    return text.str();
  }
  std::ifstream in(path, std::ios::binary);
  if (in) text << in.rdbuf();
  if (!in && in.eof()) in.clear();
  std::error_code error;
  if (!in || fs::is_directory(path, error))
    return fail(ErrorKind::not_found, fmt::format("cannot read {}", path));
  return text.str();
}

Result<Value> read_value(std::string_view text, std::string_view path) {
  json::Findings findings;
  Result<Value> value;
  if (is_json_file(text, path)) {
    value = json::parse(text);
    if (value) json::resolve_environment(*value, "", findings);
  } else {
    const std::string resolved = json::resolve_environment_in(text, findings);
    if (findings.ok()) value = json::parse_yaml(resolved);
  }
  if (!findings.ok()) {
    const auto& problem = findings.problems.front();
    return fail(ErrorKind::not_found, fmt::format("{} {} {}", path, problem.path, problem.what));
  }
  if (!value) return fail(ErrorKind::protocol, fmt::format("{}: {}", path, value.error().what));
  return value;
}

void load_document(const Value& document, const std::string& origin, Loaded& into) {
  if (document.is_null()) return;
  if (!document.is_object()) {
    into.problems.push_back(origin + " must be a mapping of kinds of resources, as routes: […]");
    return;
  }
  for (const auto& [kind, items] : document.as_object()) {
    const std::string path = fmt::format("{} /{}", origin, json::pointer_segment(kind));
    const auto* resource = model::find_resource(kind);
    if (resource == nullptr) into.problems.push_back(path + " is no kind of resource here");
    else if (!items.is_array() && !items.is_null()) into.problems.push_back(path + " must be a list");
    if (resource == nullptr || !items.is_array()) continue;
    std::size_t number = 0;
    for (const Value& item : items.as_array())
      load_item(*resource, item, fmt::format("{}/{}", path, number++), into);
  }
}

Result<Loaded> load_files(const std::string& path) {
  auto files = files_below(path);
  if (!files) return std::unexpected(files.error());
  Loaded loaded;
  for (const std::string& file : *files) {
    auto text = read_text(file);
    if (!text) return std::unexpected(text.error());
    auto value = read_value(*text, file);
    if (value) load_document(*value, file, loaded);
    else loaded.problems.push_back(value.error().what);
  }
  return loaded;
}

Result<Configuration> load_gateway(AdminClient& client) {
  Configuration configuration;
  for (const auto& resource : model::resources()) {
    std::vector<std::string> targets;
    if (resource.under.empty()) targets.push_back("/" + std::string(resource.path));
    for (const auto& [key, owner] : configuration.items()) {
      if (owner.resource->path == resource.under)
        targets.push_back(target_of(owner) + "/" + std::string(resource.path));
    }
    for (std::string& target : targets) {
      auto items = load_list(client, std::move(target), MissingKind::is_empty);
      if (!items) return std::unexpected(items.error());
      for (Item& item : *items) configuration.add(std::move(item));
    }
  }
  return configuration;
}

}  // namespace sluice::cli
