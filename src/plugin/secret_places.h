// SPDX-License-Identifier: Apache-2.0
// Where secrets stand in resources: the members that `describe` calls secret, of a resource itself (the
// private key of an ssl) and of the configs of plugins in it (the key of a consumer's key-auth). Taken from
// the schemas once; constant from then on, any thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"
#include "model/resources.h"
#include "plugin/plugin.h"

namespace sluice::plugin {

class SecretPlaces {
 public:
  // `types` are all that configs may be of, also those that are switched off.
  explicit SecretPlaces(std::span<const PluginType* const> types);

  enum class Of : std::uint8_t { resource, plugin };
  enum class Then : std::uint8_t { keep, erase };
  // `text` is a string, and may be changed; `path` is a JSON pointer.
  using Visit = std::function<Then(std::string& text, const std::string& path, Of of)>;
  void visit(const model::Resource& resource, std::string_view id, json::Value& body,
             const Visit& visit) const;
  // False: there is none in that JSON text, which need not be parsed.
  bool may_be_in(const model::Resource& resource, std::string_view id, std::string_view text) const;

 private:
  // A member of a schema below which something is secret.
  struct Node {
    bool secret = false;
    std::map<std::string, Node, std::less<>> members;
    std::unique_ptr<Node> items;  // of an array, or every other member of an object
    bool empty() const { return !secret && members.empty() && !items; }
  };
  struct Plugins {
    std::map<std::string, Node, std::less<>> config, consumer,
        metadata;  // by name; those without are left out
  };
  class Walk;
  static Node read(const json::Value& schema);
  static void add(const json::Value& schema, Node& into);
  static void add_names(const Node& node, std::vector<std::string>& names);
  const std::map<std::string, Node, std::less<>>& configs_in(const model::Resource& resource) const;

  std::map<std::string_view, Node> resources_;  // by path
  std::map<std::string_view, std::vector<std::string>> names_;  // of secret members, quoted; by path
  Plugins plugins_;
};

}  // namespace sluice::plugin
