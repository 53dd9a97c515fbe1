// SPDX-License-Identifier: Apache-2.0
// Where secrets of the configuration are kept: what `$secret://vault/1/…` refers to. The kind stands in the
// id: "vault/1". Plain values; any thread.
#pragma once
#include <optional>

#include "model/common.h"

namespace sluice::model {

struct SecretManager {
  PathId id;
  std::optional<std::int64_t> create_time, update_time;
  void describe(json::Fields& field);  // and lets in what else there may be, as APISIX does
};

struct Vault : SecretManager {
  std::string uri, prefix, token, vault_namespace;
  void describe(json::Fields& field);
};

struct AwsSecrets : SecretManager {
  std::string access_key_id, secret_access_key, session_token, endpoint_url;
  std::string region = "us-east-1";
  void describe(json::Fields& field);
};

// A service account of Google's.
struct GcpAccount {
  std::string client_email, private_key, project_id;
  std::string token_uri = "https://oauth2.googleapis.com/token";
  std::vector<std::string> scope{"https://www.googleapis.com/auth/cloud-platform"};
  std::string entries_uri = "https://secretmanager.googleapis.com/v1";
  void describe(json::Fields& field);
};

struct GcpSecrets : SecretManager {
  std::optional<GcpAccount> auth_config;  // this or auth_file
  std::string auth_file;
  bool ssl_verify = true;
  void describe(json::Fields& field);
};

// Reads `body` as what the id's first part says.
bool check_secret(std::string_view id, const json::Value& body, json::Reader& reader);
json::Value secret_schema();

}  // namespace sluice::model
