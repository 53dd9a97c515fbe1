// SPDX-License-Identifier: Apache-2.0
// Google Secret Manager: `$secret://gcp/1/NAME` is the latest version of that secret, `$secret://gcp/1/NAME/
// MEMBER` a member of the JSON object it holds. A token is given out for a signed assertion of the service
// account (RFC 7523) and used until shortly before it ends.
#include <fmt/core.h>

#include <fstream>
#include <sstream>

#include "base/digest.h"
#include "base/text.h"
#include "json/text.h"
#include "model/secret.h"
#include "secrets/manager.h"

namespace sluice::secrets {
namespace {

constexpr std::int64_t assertion_s = 3600;
constexpr Duration early = std::chrono::seconds(60);  // a token is renewed so long before it ends
constexpr std::string_view grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";

std::string base64_url(std::string_view bytes) {
  std::string text;
  base64_encode(bytes, text, Base64::url);
  return text;
}

Result<model::GcpAccount> read_account(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (file) text << file.rdbuf();
  if (!file) return fail(ErrorKind::system, fmt::format("auth_file {} cannot be read", path));
  const auto body = json::parse(text.str());
  if (!body) return fail(ErrorKind::protocol, fmt::format("auth_file {}: {}", path, body.error().what));
  model::GcpAccount account;
  json::Findings findings;
  if (json::read(*body, account, findings)) return account;
  const auto& problem = findings.problems.front();
  return fail(ErrorKind::protocol, fmt::format("auth_file {}: {} {}", path, problem.path, problem.what));
}

class GcpManager final : public Manager {
 public:
  GcpManager(model::GcpSecrets gcp, std::shared_ptr<Asker> asker)
      : gcp_(std::move(gcp)), asker_(std::move(asker)) {}

  async::Task<Result<std::string>> get(std::string key) override {
    const auto slash = key.find('/');
    const std::string name = key.substr(0, slash), member = slash == key.npos ? "" : key.substr(slash + 1);
    if (name.empty()) co_return fail(ErrorKind::protocol, fmt::format("'{}' has no name", key));
    auto account = gcp_.auth_config ? Result<model::GcpAccount>(*gcp_.auth_config)
                                    : read_account(gcp_.auth_file);
    if (!account) co_return std::unexpected(account.error());
    auto token = co_await token_for(*account);
    if (!token) co_return std::unexpected(token.error());
    Question question{.verify = gcp_.ssl_verify};
    question.url = fmt::format("{}/projects/{}/secrets/{}/versions/latest:access", account->entries_uri,
                               encoded(account->project_id), encoded(name));
    question.headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + *token}};
    auto answer = co_await asker_->ask(std::move(question));
    if (!answer) co_return std::unexpected(answer.error());
    if (answer->status == 401) token_.clear();
    if (answer->status != 200) co_return refused("Google Secret Manager", *answer);
    co_return read(answer->body, name, member);
  }

 private:
  static std::string encoded(std::string_view text) {
    std::string out;
    percent_encode(text, out);
    return out;
  }

  Result<std::string> assertion(const model::GcpAccount& account) const {
    const std::int64_t now = asker_->clock().wall() / 1'000'000'000;
    std::string scope;
    for (const auto& one : account.scope) scope.append(scope.empty() ? "" : " ").append(one);
    const auto claims = json::Value::object({{"iss", account.client_email},
                                             {"sub", account.client_email},
                                             {"scope", scope},
                                             {"aud", account.token_uri},
                                             {"iat", now},
                                             {"exp", now + assertion_s}});
    std::string text = base64_url(R"({"alg":"RS256","typ":"JWT"})") + "." + base64_url(json::dump(claims));
    auto signature = sign_rs256(account.private_key, text);
    if (!signature) return signature;
    return text + "." + base64_url(*signature);
  }

  async::Task<Result<std::string>> token_for(model::GcpAccount account) {
    if (!token_.empty() && asker_->clock().now() < token_ends_) co_return token_;
    auto signed_text = assertion(account);
    if (!signed_text) co_return std::unexpected(signed_text.error());
    Question question{.method = "POST", .url = account.token_uri, .verify = gcp_.ssl_verify};
    question.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    question.body = fmt::format("grant_type={}&assertion={}", encoded(grant), *signed_text);
    auto answer = co_await asker_->ask(std::move(question));
    if (!answer) co_return std::unexpected(answer.error());
    if (answer->status != 200) co_return refused(account.token_uri, *answer);
    const auto body = json::parse(answer->body);
    auto token = member_text(body ? *body : json::Value(), "access_token", account.token_uri);
    if (!token) co_return token;
    const json::Value* lifetime = body->find("expires_in");
    const std::int64_t seconds = lifetime != nullptr && lifetime->is_integer() ? lifetime->as_int() : 0;
    token_ = std::move(*token);
    token_ends_ =
        asker_->clock().now() + std::chrono::seconds(std::min<std::int64_t>(seconds, 86'400)) - early;
    co_return token_;
  }

  static Result<std::string> read(const std::string& text, const std::string& name,
                                  const std::string& member) {
    const std::string where = fmt::format("the secret '{}' of Google", name);
    const auto body = json::parse(text);
    const json::Value* payload = body ? body->find("payload") : nullptr;
    auto coded = member_text(payload != nullptr ? *payload : json::Value(), "data", where);
    if (!coded) return coded;
    std::string secret;
    if (!base64_decode(*coded, secret)) return fail(ErrorKind::protocol, where + " is not in Base64");
    if (member.empty()) return secret;
    const auto object = json::parse(secret);
    if (!object || !object->is_object()) return fail(ErrorKind::protocol, where + " is no JSON object");
    return member_text(*object, member, where);
  }

  model::GcpSecrets gcp_;
  std::shared_ptr<Asker> asker_;
  std::string token_;
  Instant token_ends_{};
};

}  // namespace

std::shared_ptr<Manager> make_gcp(const json::Value& body, std::shared_ptr<Asker> asker) {
  model::GcpSecrets gcp;
  json::Findings findings;
  SLUICE_CHECK(json::read(body, gcp, findings));
  return std::make_shared<GcpManager>(std::move(gcp), std::move(asker));
}

}  // namespace sluice::secrets
