// SPDX-License-Identifier: Apache-2.0
// HashiCorp Vault: `$secret://vault/1/PATH/NAME` is the member NAME of what GET /v1/PREFIX/PATH has. Version
// 2 of its key-value engine wraps that once more; its prefix ends with "/data".
#include <fmt/core.h>

#include "base/text.h"
#include "json/text.h"
#include "model/secret.h"
#include "model/secret_reference.h"
#include "secrets/manager.h"

namespace sluice::secrets {
namespace {

class VaultManager final : public Manager {
 public:
  VaultManager(model::Vault vault, std::shared_ptr<Asker> asker)
      : vault_(std::move(vault)), asker_(std::move(asker)) {}

  async::Task<Result<std::string>> get(std::string key) override {
    const auto slash = key.rfind('/');
    if (slash == key.npos || slash == 0 || slash + 1 == key.size())
      co_return fail(ErrorKind::protocol, fmt::format("'{}' must be PATH/NAME for Vault", key));
    const std::string path = key.substr(0, slash), name = key.substr(slash + 1);
    auto token = model::read_reference(vault_.token);
    if (!token) co_return std::unexpected(token.error());
    Question question{.url = url_of(path), .headers = {{"X-Vault-Token", std::move(*token)}}};
    if (!vault_.vault_namespace.empty())
      question.headers.emplace_back("X-Vault-Namespace", vault_.vault_namespace);
    const std::string where = question.url;
    auto answer = co_await asker_->ask(std::move(question));
    if (!answer) co_return std::unexpected(answer.error());
    if (answer->status == 404) co_return fail(ErrorKind::not_found, where + " does not exist", Fault::peer);
    if (answer->status != 200) co_return refused(where, *answer);
    co_return read(answer->body, name, where);
  }

 private:
  std::string url_of(const std::string& path) const {
    std::string url = vault_.uri;
    if (url.ends_with('/')) url.pop_back();
    std::string_view prefix = vault_.prefix;
    while (prefix.starts_with('/')) prefix.remove_prefix(1);
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    url.append("/v1/");
    percent_encode(std::string(prefix) + "/" + path, url, "/");
    return url;
  }

  static Result<std::string> read(const std::string& body, const std::string& name,
                                  const std::string& where) {
    const auto parsed = json::parse(body);
    const json::Value* data = parsed ? parsed->find("data") : nullptr;
    if (data == nullptr || !data->is_object())
      return fail(ErrorKind::protocol, where + " is not as Vault answers: there is no data", Fault::peer);
    const json::Value *inner = data->find("data"), *metadata = data->find("metadata");
    const bool second_version =
        inner != nullptr && inner->is_object() && metadata != nullptr && metadata->is_object();
    return member_text(second_version ? *inner : *data, name, where);
  }

  model::Vault vault_;
  std::shared_ptr<Asker> asker_;
};

}  // namespace

std::shared_ptr<Manager> make_vault(const json::Value& body, std::shared_ptr<Asker> asker) {
  model::Vault vault;
  json::Findings findings;
  SLUICE_CHECK(json::read(body, vault, findings));
  return std::make_shared<VaultManager>(std::move(vault), std::move(asker));
}

}  // namespace sluice::secrets
