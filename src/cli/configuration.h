// SPDX-License-Identifier: Apache-2.0
// Every resource of a gateway, or of files, in one form that two sides can be compared in: by kind and id,
// bodies without what only the Admin API keeps (times), members in one order. Read from files in the shape
// of apisix.yaml and from the Admin API; written as such a file. Plain values.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/admin_client.h"
#include "json/value.h"
#include "model/resources.h"

namespace sluice::cli {

struct Item {
  const model::Resource* resource = nullptr;
  std::string id;
  json::Value body;    // without the member that names it
  std::string origin;  // "conf.d/a.yaml /routes/3"; "": the gateway

  // "routes/1", "consumers/jack/credentials/1"
  std::string name() const { return model::key_of(*resource, id).substr(model::key_prefix.size()); }
};

class Configuration {
 public:
  using Key = std::pair<std::size_t, std::string>;  // place of the kind in model::resources(), id
  using Items = std::map<Key, Item>;

  // Puts the body into its one form. False when there is one of that name: it stays.
  bool add(Item item);
  bool erase(const Item& item) { return items_.erase(key_of(*item.resource, item.id)) > 0; }
  const Item* find(const model::Resource& resource, const std::string& id) const;
  const Items& items() const { return items_; }
  std::size_t size() const { return items_.size(); }

 private:
  static Key key_of(const model::Resource& resource, const std::string& id);
  Items items_;
};

// The body as files have it: with the member that names it, first.
json::Value with_name(const Item& item);
// {"routes": […], …}, kinds in the order of model::resources(), then by id.
json::Value document_of(const Configuration& configuration);
// The same as YAML with #END.
std::string file_of(const Configuration& configuration);

// The text of a file, or of standard input for "-".
Result<std::string> read_text(const std::string& path);
// A text as JSON, or else as YAML; ${{VARIABLES}} are put in.
Result<json::Value> read_value(std::string_view text, std::string_view path);

struct Loaded {
  Configuration configuration;
  std::vector<std::string> problems;  // a sentence each, with file and path
};
// One file, or every .yaml, .yml and .json below a directory. The error: it cannot be read.
Result<Loaded> load_files(const std::string& path);
// One document, as if it had been read from a file called `origin`.
void load_document(const json::Value& document, const std::string& origin, Loaded& into);
// Below /apisix/admin: "/routes/1".
std::string target_of(const model::Resource& resource, std::string_view id);
inline std::string target_of(const Item& item) { return target_of(*item.resource, item.id); }
// What a list of the Admin API holds, bodies as they came. A kind may be switched off there, or be younger
// than that gateway.
enum class MissingKind : std::uint8_t { is_refused, is_empty };
Result<std::vector<Item>> load_list(AdminClient& client, std::string target,
                                    MissingKind missing = MissingKind::is_refused);
// What the gateway has now.
Result<Configuration> load_gateway(AdminClient& client);

}  // namespace sluice::cli
