// SPDX-License-Identifier: Apache-2.0
// The two ways in which secrets are sealed. In the embedded store: AES-256-GCM with a key of this node, a
// secret stands as "$sealed:KEY:…" and opens in its own place only. In etcd: as APISIX does it, AES-CBC with
// a key of the configured keyring, in Base64, so that its nodes and ours read each other's. Control thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "main/data_keys.h"
#include "plugin/secret_places.h"
#include "store/seal.h"

namespace sluice::main {

// Keys that APISIX's default configuration has, so that everybody knows them.
bool is_published(std::string_view key);

// apisix.data_encryption.
struct EncryptionSettings {
  bool enabled = true;               // of the configs of plugins, too
  std::vector<std::string> keyring;  // of 16 or 32 bytes; the first encrypts, all decrypt
};

// `places` outlives them. With `enabled` false what is sealed is opened, and nothing is sealed.
std::unique_ptr<store::Seal> seal_with_data_keys(const plugin::SecretPlaces& places, DataKeys keys,
                                                 bool enabled);
// The published keys decrypt as well, with a warning.
std::unique_ptr<store::Seal> seal_with_keyring(const plugin::SecretPlaces& places,
                                               EncryptionSettings settings);

}  // namespace sluice::main
