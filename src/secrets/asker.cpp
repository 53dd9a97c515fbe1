// SPDX-License-Identifier: Apache-2.0
#include "secrets/asker.h"

#include <fmt/core.h>

#include <array>
#include <optional>

#include "http/url.h"

namespace sluice::secrets {
namespace {

constexpr std::size_t answer_max = 1u << 20;

class HttpAsker final : public Asker {
 public:
  explicit HttpAsker(HttpNeeds needs) : needs_(std::move(needs)) {}

  async::Task<Result<Answer>> ask(Question question) override {
    const auto url = http::parse_url(question.url);
    if (!url) co_return fail(ErrorKind::protocol, fmt::format("'{}' is no http or https URL", question.url));
    http::Client::Server server{url->host, url->port, url->authority, nullptr, ""};
    if (url->secure) {
      auto tls = context(question.verify);
      if (!tls) co_return std::unexpected(tls.error());
      server.tls = std::move(*tls);
    }
    http::Client client(needs_.loop, needs_.network, std::move(server), needs_.resolve);
    http::Client::Question asked;
    asked.method = std::move(question.method);
    asked.target = url->target;
    asked.headers = std::move(question.headers);
    asked.body = std::move(question.body);
    asked.deadline = after(needs_.loop.now(), needs_.timeout);
    asked.answer_max = answer_max;
    auto answer = co_await client.ask(std::move(asked));
    if (!answer) co_return std::unexpected(answer.error());
    co_return Answer{answer->status, std::move(answer->body)};
  }

 private:
  using Tls = Result<std::shared_ptr<const net::TlsContext>>;
  // Made once: the system's roots are read from disk.
  const Tls& context(bool verify) {
    auto& made = contexts_[verify ? 1 : 0];
    if (!made) made = net::TlsContext::client({.verify = verify, .authorities = needs_.authorities});
    return *made;
  }

  HttpNeeds needs_;
  std::array<std::optional<Tls>, 2> contexts_;
};

}  // namespace

std::shared_ptr<Asker> http_asker(HttpNeeds needs) { return std::make_shared<HttpAsker>(std::move(needs)); }

}  // namespace sluice::secrets
