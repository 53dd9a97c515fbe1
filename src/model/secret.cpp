// SPDX-License-Identifier: Apache-2.0
#include "model/secret.h"

#include <fmt/core.h>

namespace sluice::model {
namespace {

constexpr std::string_view uri_pattern = R"(^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?)";

template <class T>
bool check_as(const json::Value& body, json::Reader& reader) {
  T manager;
  return json::read(body, manager, reader);
}

struct Kind {
  std::string_view name;
  bool (*check)(const json::Value&, json::Reader&);
  json::Value (*schema)();
};

constexpr Kind kinds[]{{"vault", check_as<Vault>, json::schema<Vault>},
                       {"aws", check_as<AwsSecrets>, json::schema<AwsSecrets>},
                       {"gcp", check_as<GcpSecrets>, json::schema<GcpSecrets>}};

}  // namespace

void SecretManager::describe(json::Fields& field) {
  field("id", id, "The manager's kind and its id: \"vault/1\".");
  field("create_time", create_time, "When it was made: seconds since 1970; set by the gateway.");
  field("update_time", update_time, "When it was last changed: seconds since 1970; set by the gateway.");
  field.open();
}

void Vault::describe(json::Fields& field) {
  SecretManager::describe(field);
  field("uri", uri, "Where Vault answers.").required().pattern(uri_pattern);
  field("prefix", prefix, "Path of the secrets, without the API's version: \"kv/apisix\".").required();
  field("token", token, "Token that Vault asks for; may be an $env:// reference.")
      .required()
      .secret();
  field("namespace", vault_namespace, "Namespace of Vault Enterprise.");
}

void AwsSecrets::describe(json::Fields& field) {
  SecretManager::describe(field);
  field("access_key_id", access_key_id, "Access key; may be an $env:// reference.").required();
  field("secret_access_key", secret_access_key, "Its secret; may be an $env:// reference.")
      .required()
      .secret();
  field("session_token", session_token, "Token of a temporary credential.").secret();
  field("region", region, "Region of AWS.");
  field("endpoint_url", endpoint_url, "Where AWS Secrets Manager answers; without it the region's.")
      .pattern(uri_pattern);
}

void GcpAccount::describe(json::Fields& field) {
  field("client_email", client_email, "The service account.").required();
  field("private_key", private_key, "Its private key, PEM.").required().secret();
  field("project_id", project_id, "The project.").required();
  field("token_uri", token_uri, "Where tokens are given out.");
  field("scope", scope, "What the token is for.");
  field("entries_uri", entries_uri, "Where Google Secret Manager answers.");
  field.open();
}

void GcpSecrets::describe(json::Fields& field) {
  SecretManager::describe(field);
  field("auth_config", auth_config, "The service account, written here.");
  field("auth_file", auth_file, "A file with the service account, JSON.");
  field("ssl_verify", ssl_verify, "Whether Google's certificate must be valid.");
  field.exactly_one_of({"auth_config", "auth_file"});
}

bool check_secret(std::string_view id, const json::Value& body, json::Reader& reader) {
  const auto name = id.substr(0, id.find('/'));
  for (const Kind& kind : kinds) {
    if (kind.name == name) return kind.check(body, reader);
  }
  return reader.fail_plainly("", fmt::format("{} is no secret manager: vault, aws and gcp are", name),
                             fmt::format("invalid secret manager: {}", name));
}

json::Value secret_schema() {
  json::Array all;
  for (const Kind& kind : kinds) {
    auto schema = kind.schema();
    schema.set("title", kind.name);
    all.push_back(std::move(schema));
  }
  return json::Value::object({{"type", "object"}, {"anyOf", std::move(all)}});
}

}  // namespace sluice::model
