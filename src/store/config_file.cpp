// SPDX-License-Identifier: Apache-2.0
#include "store/config_file.h"

#include <fmt/core.h>

#include <unordered_map>

#include "base/text.h"
#include "json/environment.h"
#include "json/text.h"

namespace sluice::store {
namespace {

using json::Findings;
using json::Value;

Result<Value> parse_yaml_file(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  if (!text.ends_with("#END"))
    return fail(ErrorKind::protocol, "its last line is not #END, so it may not be whole yet");
  Findings findings;
  const std::string resolved = json::resolve_environment_in(text, findings);
  if (!findings.ok()) return fail(ErrorKind::not_found, "it " + findings.problems.front().what);
  return json::parse_yaml(resolved);
}

Result<Value> parse_json_file(std::string_view text) {
  auto value = json::parse(text);
  if (!value) return value;
  Findings findings;
  json::resolve_environment(*value, "", findings);
  if (findings.ok()) return value;
  const auto& problem = findings.problems.front();
  return fail(ErrorKind::not_found, fmt::format("{} {}", problem.path, problem.what));
}

std::string text_of(const Value* value) {
  if (value == nullptr) return {};
  if (value->is_string()) return value->as_string();
  return value->is_integer() ? std::to_string(value->as_int()) : std::string();
}

// `key-auth:` without anything behind it asks for the plugin with its defaults.
void fill_empty_plugins(Value& body) {
  Value* plugins = body.find("plugins");
  if (plugins == nullptr || !plugins->is_object()) return;
  for (auto& [name, config] : plugins->as_object()) {
    if (config.is_null()) config = Value::object();
  }
}

class Reading {
 public:
  Reading(FileFormat format, const CheckResource& check, Findings& findings)
      : format_(format), check_(check), findings_(findings) {}

  void read(const std::string& kind, const Value& items) {
    if (kind.ends_with("_conf_version")) return;  // of the same document, sent through the Admin API
    const auto* resource = model::find_resource(kind);
    if (resource == nullptr) return warn("/" + kind, "is no kind of resource here");
    if (items.is_null()) return;
    if (!items.is_array()) return problem("/" + kind, "must be a list");
    std::size_t number = 0;
    for (const Value& item : items.as_array()) read_item(*resource, item, number++);
  }
  std::vector<Entry> take() { return std::move(entries_); }

 private:
  void read_item(const model::Resource& resource, const Value& item, std::size_t number) {
    const std::string path = fmt::format("/{}/{}", resource.path, number);
    if (!item.is_object()) return problem(path, "must be an object");
    ListedItem read = store::read_item(resource, item, number);
    if (format_ == FileFormat::yaml) fill_empty_plugins(read.body);
    Findings own;
    check_(*read.kind, read.id, read.body, own);
    for (auto& found : own.problems) problem(path + found.path, std::move(found.what));
    for (auto& found : own.warnings) warn(path + found.path, std::move(found.what));
    if (own.ok()) add({model::key_of(*read.kind, read.id), json::dump(read.body)});
  }

  void add(Entry entry) {
    const auto [known, fresh] = places_.emplace(entry.key, entries_.size());
    if (fresh) entries_.push_back(std::move(entry));
    else entries_[known->second] = std::move(entry);
  }
  void problem(std::string path, std::string what) {
    findings_.problems.push_back({std::move(path), std::move(what), {}});
  }
  void warn(std::string path, std::string what) {
    findings_.warnings.push_back({std::move(path), std::move(what), {}});
  }

  FileFormat format_;
  const CheckResource& check_;
  Findings& findings_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> places_;  // of keys, in `entries_`
};

}  // namespace

ListedItem read_item(const model::Resource& listed, Value item, std::size_t number) {
  ListedItem read{.body = std::move(item)};
  const Value* index = read.body.find("modifiedIndex");
  if (index != nullptr && index->is_integer()) read.modified_index = index->as_int();
  read.body.erase("modifiedIndex");
  read.id = text_of(read.body.find(listed.key));
  if (read.id.empty()) read.id = text_of(read.body.find("id"));
  read.named = !read.id.empty();
  if (!read.named) read.id = fmt::format("arr_{}", number + 1);
  read.kind = &model::kind_in_list(listed, read.id);
  if (read.kind->key == "id") read.body.set("id", read.id);
  return read;
}

Result<std::vector<Entry>> read_config_file(std::string_view text, FileFormat format,
                                            const CheckResource& check, Findings& findings) {
  auto document = format == FileFormat::yaml ? parse_yaml_file(text) : parse_json_file(text);
  if (!document) return std::unexpected(document.error());
  if (document->is_null()) return fail(ErrorKind::protocol, "there is nothing in it");
  if (!document->is_object()) return fail(ErrorKind::protocol, "it must be a mapping: kinds of resources");
  Reading reading(format, check, findings);
  for (const auto& [kind, items] : document->as_object()) {
    if (kind == "plugins")
      findings.warnings.push_back(
          {"/plugins", "has no effect: config.yaml says which plugins there are", {}});
    else reading.read(kind, items);
  }
  return reading.take();
}

}  // namespace sluice::store
