// SPDX-License-Identifier: Apache-2.0
// Everything that can be said about a resource before it is stored: its own fields, the configs of its
// plugins, its expressions. The Admin API asks before every write, the compiler of snapshots relies on the
// answer having been yes. Built once at start by main/ from the list of plugins that are switched on;
// immutable but for `find_owner` and `find_secret`, used on the control thread.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "json/findings.h"
#include "model/resources.h"
#include "model/secret_reference.h"
#include "plugin/plugin.h"
#include "plugin/resources.h"

namespace sluice::plugin {

// Who has a credential; null when nobody has.
using FindOwner = std::function<const Consumer*(const PluginType&, std::string_view credential)>;

class Validator {
 public:
  // `enabled` in the order they run, `stream_enabled` those for connections below HTTP; outlive the
  // validator.
  explicit Validator(std::vector<const PluginType*> enabled,
                     std::vector<const PluginType*> stream_enabled = {})
      : enabled_(std::move(enabled)), stream_enabled_(std::move(stream_enabled)) {}

  // Collects all problems and warnings of `body`, which is to be stored as such a resource under `id`, and
  // the secrets and references in it. References are not followed.
  void check(const model::Resource& resource, std::string_view id, const json::Value& body,
             json::Findings& findings) const;
  // What only the running configuration tells: a credential that another consumer has. Asked of what passed
  // `check` before it is stored.
  void check_credentials(const model::Resource& resource, std::string_view id, const json::Value& body,
                         json::Findings& findings, const FindOwner& owner_of_it) const;
  // What `body` lets a consumer be known by, each with its plugin.
  std::vector<std::string> credentials_in(const model::Resource& resource, const json::Value& body) const;
  // Of a resource's fields alone, without plugins: what `/schema/validate` asks.
  void check_fields(const model::Resource& resource, std::string_view id, const json::Value& body,
                    json::Findings& findings) const;

  std::span<const PluginType* const> plugins(Subsystem subsystem = Subsystem::http) const {
    return subsystem == Subsystem::http ? enabled_ : stream_enabled_;
  }
  const PluginType* find(std::string_view name, Subsystem subsystem = Subsystem::http) const;

  // Who has that credential: set by main/ to ask the latest configuration. Null when nobody has.
  FindOwner find_owner;
  // What secret managers have: set by main/ where some are asked.
  model::FindSecret find_secret;

 private:
  void check_plugins(const model::Resource& resource, const json::Value& body,
                     json::Findings& findings) const;
  void check_plugin(const model::Resource& resource, const std::string& name, const json::Value& config,
                    json::Findings& findings) const;
  void check_metadata(std::string_view name, const json::Value& body, json::Findings& findings) const;
  void check_vars(const json::Value& body, json::Findings& findings) const;
  void check_client_certificate(const json::Value& upstream, const std::string& path,
                                json::Findings& findings) const;

  std::vector<const PluginType*> enabled_, stream_enabled_;
};

}  // namespace sluice::plugin
