// SPDX-License-Identifier: Apache-2.0
// Keys of APISIX's config.yaml that this version does not serve. Those that would change what a client or an
// operator sees are named in a warning with what to do instead, unless their value asks for nothing; those
// that only size nginx's or Lua's own machinery are read over. Start of the process.
#pragma once
#include "main/section.h"
#include "plugin/plugin.h"

namespace sluice::main {

// `name` is the section's path in the tables: "apisix", "nginx_config.http", "" for the top of the file.
void note_unserved(Section& section, std::string_view name);

// plugin_attr: a member that belongs to a plugin this version does not have, or that no plugin reads.
void note_unread_plugins(const json::Value& plugin_attr, json::Findings& findings);

// The lists of plugins, `plugins` or `stream_plugins` as `path` says: the names this version does not have,
// in one warning.
void note_unknown_plugins(std::string_view path, const std::vector<std::string>& names,
                          plugin::Subsystem subsystem, json::Findings& findings);

}  // namespace sluice::main
