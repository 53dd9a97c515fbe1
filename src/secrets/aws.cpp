// SPDX-License-Identifier: Apache-2.0
// AWS Secrets Manager: `$secret://aws/1/NAME` is the secret of that name, `$secret://aws/1/NAME/MEMBER` a
// member of the JSON object it holds. Names may have slashes, so the longest is tried first, as APISIX does.
#include <fmt/core.h>

#include "http/url.h"
#include "json/text.h"
#include "model/secret.h"
#include "model/secret_reference.h"
#include "secrets/aws_signature.h"
#include "secrets/manager.h"

namespace sluice::secrets {
namespace {

constexpr int names_max = 8;  // tried for one reference

class AwsManager final : public Manager {
 public:
  AwsManager(model::AwsSecrets aws, std::shared_ptr<Asker> asker)
      : aws_(std::move(aws)), asker_(std::move(asker)) {
    url_ = aws_.endpoint_url.empty() ? fmt::format("https://secretsmanager.{}.amazonaws.com/", aws_.region)
                                     : aws_.endpoint_url;
  }

  async::Task<Result<std::string>> get(std::string key) override {
    if (key.starts_with('/')) co_return fail(ErrorKind::protocol, fmt::format("'{}' has no name", key));
    std::string name = key, member;
    for (int i = 0; i < names_max; ++i) {
      auto question = question_for(name);
      if (!question) co_return std::unexpected(question.error());
      auto answer = co_await asker_->ask(std::move(*question));
      if (!answer) co_return std::unexpected(answer.error());
      const auto body = json::parse(answer->body);
      if (answer->status == 200) co_return read(body ? *body : json::Value(), name, member);
      const auto slash = name.rfind('/');
      const bool absent =
          body && body->text("__type").find("ResourceNotFoundException") != std::string_view::npos;
      if (!absent || slash == name.npos) co_return refused("AWS Secrets Manager", *answer);
      name = key.substr(0, slash);
      member = key.substr(slash + 1);
    }
    co_return fail(ErrorKind::not_found, fmt::format("AWS Secrets Manager has no secret '{}'", key));
  }

 private:
  Result<Question> question_for(const std::string& name) const {
    const auto url = http::parse_url(url_);
    if (!url) return fail(ErrorKind::protocol, fmt::format("endpoint_url '{}' is no URL", url_));
    AwsIdentity identity{.region = aws_.region, .service = "secretsmanager"};
    std::string token;
    const std::pair<const std::string*, std::string*> texts[]{{&aws_.access_key_id, &identity.access_key_id},
                                                              {&aws_.secret_access_key,
                                                               &identity.secret_access_key},
                                                              {&aws_.session_token, &token}};
    for (const auto& [written, into] : texts) {
      auto text = model::read_reference(*written);
      if (!text) return std::unexpected(text.error());
      *into = std::move(*text);
    }
    AwsRequest request;
    request.body = json::dump(json::Value::object({{"SecretId", name}, {"VersionStage", "AWSCURRENT"}}));
    request.headers = {{"content-type", "application/x-amz-json-1.1"},
                       {"host", url->authority},
                       {"x-amz-date", aws_date(asker_->clock().wall() / 1'000'000'000)},
                       {"x-amz-target", "secretsmanager.GetSecretValue"}};
    if (!token.empty()) request.headers["x-amz-security-token"] = token;
    Question question{.method = "POST", .url = origin(*url) + "/", .body = request.body};
    for (const auto& [field, value] : request.headers) {
      if (field != "host") question.headers.emplace_back(field, value);
    }
    question.headers.emplace_back("authorization", aws_authorization(request, identity));
    return question;
  }
  static std::string origin(const http::Url& url) {
    return (url.secure ? "https://" : "http://") + url.authority;
  }

  static Result<std::string> read(const json::Value& body, const std::string& name,
                                  const std::string& member) {
    const std::string where = fmt::format("the secret '{}' of AWS", name);
    auto text = member_text(body, "SecretString", where);
    if (!text || member.empty()) return text;
    const auto object = json::parse(*text);
    if (!object || !object->is_object()) return fail(ErrorKind::protocol, where + " is no JSON object");
    return member_text(*object, member, where);
  }

  model::AwsSecrets aws_;
  std::shared_ptr<Asker> asker_;
  std::string url_;
};

}  // namespace

std::shared_ptr<Manager> make_aws(const json::Value& body, std::shared_ptr<Asker> asker) {
  model::AwsSecrets aws;
  json::Findings findings;
  SLUICE_CHECK(json::read(body, aws, findings));
  return std::make_shared<AwsManager>(std::move(aws), std::move(asker));
}

}  // namespace sluice::secrets
