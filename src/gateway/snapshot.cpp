// SPDX-License-Identifier: Apache-2.0
#include "gateway/snapshot.h"

namespace sluice::gateway {

std::string Snapshot::credential_key(std::uint16_t plugin_type, std::string_view credential) {
  std::string key;
  key.reserve(credential.size() + 2);
  key.push_back(static_cast<char>(plugin_type & 0xff));
  key.push_back(static_cast<char>(plugin_type >> 8));
  key.append(credential);
  return key;
}

const plugin::Consumer* Snapshot::consumer_by_credential(std::uint16_t plugin_type,
                                                         std::string_view credential) const {
  constexpr std::size_t short_max = 126;
  const std::shared_ptr<const ConsumerEntry>* found = nullptr;
  if (credential.size() <= short_max) {  // the common case, without a heap string
    char key[short_max + 2];
    key[0] = static_cast<char>(plugin_type & 0xff);
    key[1] = static_cast<char>(plugin_type >> 8);
    credential.copy(key + 2, credential.size());
    found = credentials.find({key, credential.size() + 2});
  } else {
    found = credentials.find(credential_key(plugin_type, credential));
  }
  return found == nullptr ? nullptr : &(*found)->consumer;
}

const plugin::Consumer* Snapshot::consumer_by_name(std::string_view name) const {
  const auto* found = consumers.find(name);
  return found == nullptr ? nullptr : &(*found)->consumer;
}

}  // namespace sluice::gateway
