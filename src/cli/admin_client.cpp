// SPDX-License-Identifier: Apache-2.0
#include "cli/admin_client.h"

#include <fmt/core.h>

#include "async/loop.h"
#include "base/address.h"
#include "base/text.h"
#include "cli/screen.h"
#include "http/client.h"
#include "json/text.h"
#include "net/resolver.h"

namespace sluice::cli {
namespace {

constexpr Duration patience = std::chrono::seconds(60);
constexpr std::size_t answer_max = std::size_t{1} << 30;
constexpr json::Limits answer_limits{.bytes = answer_max, .values = 100'000'000};

std::unexpected<Error> unreachable(const Place& place, const Error& error) {
  std::string advice;
  switch (error.kind) {
    case ErrorKind::refused:
      advice = "is the gateway running there? `sluice start` starts one, --server names another";
      break;
    case ErrorKind::tls:
      advice = "--ca-file names who signed its certificate, --cert and --cert-key a client certificate";
      break;
    case ErrorKind::timeout:
      advice = "is the address right, and does a firewall let you through?";
      break;
    case ErrorKind::closed:
    case ErrorKind::reset:
    case ErrorKind::protocol:
      advice = "does the Admin API listen there, and with https:// or http:// as written?";
      break;
    default:
      advice = "--server says where the Admin API is";
  }
  return fail(error.kind, fmt::format("cannot ask {}: {}: {}", place.url, error.what, advice));
}

class HttpAdminClient final : public AdminClient {
 public:
  HttpAdminClient(Place place, std::shared_ptr<const net::TlsContext> tls)
      : place_(std::move(place)),
        client_(loop_, net::Network::system(),
                {place_.host, place_.port, place_.authority, std::move(tls), place_.server_name},
                [this](std::string name, Instant deadline) { return resolve(std::move(name), deadline); }) {}

  Result<Answer> ask(std::string_view method, std::string target, std::string body) override {
    http::Client::Question question;
    question.method = method;
    question.target = "/apisix/admin" + std::move(target);
    question.headers.emplace_back("X-API-VERSION", "v3");
    if (!place_.key.empty()) question.headers.emplace_back("X-API-KEY", place_.key);
    if (!body.empty()) question.headers.emplace_back("Content-Type", "application/json");
    question.body = std::move(body);
    question.deadline = after(loop_.clock().now(), patience);
    question.answer_max = answer_max;
    question.repeatable = method == "GET";
    std::optional<Result<http::Client::Answer>> answer;
    loop_.spawn(fetch(std::move(question), answer));
    while (!answer) loop_.run_once(std::chrono::seconds(1));
    if (!*answer) return unreachable(place_, answer->error());
    return read(std::move(**answer));
  }

 private:
  async::Task<> fetch(http::Client::Question question, std::optional<Result<http::Client::Answer>>& into) {
    auto asking = client_.ask(std::move(question));
    auto answer = co_await asking;
    into = std::move(answer);
  }

  async::Task<Result<IpAddress>> resolve(std::string name, Instant) {
    if (resolver_ == nullptr) {
      auto made = net::Resolver::make(loop_, {});
      if (!made) co_return std::unexpected(made.error());
      resolver_ = std::move(*made);
    }
    auto found = co_await resolver_->resolve(name);
    if (!found) co_return std::unexpected(found.error());
    co_return found->addresses.front();
  }

  static Answer read(http::Client::Answer answer) {
    Answer told{answer.status, std::move(answer.body), nullptr, {}};
    for (const auto& [name, value] : answer.headers) {
      if (equals_ignoring_case(name, "X-Sluice-Problem")) told.where = value;
    }
    if (auto body = json::parse(told.text, answer_limits)) told.body = std::move(*body);
    return told;
  }

  async::Loop loop_;
  Place place_;
  std::unique_ptr<net::Resolver> resolver_;
  http::Client client_;
};

}  // namespace

Result<Place> parse_server(std::string_view url) {
  const auto bad = [&] {
    return fail(ErrorKind::protocol,
                fmt::format("'{}' is no address of an Admin API: write it as http://127.0.0.1:9180", url));
  };
  Place place;
  place.url = url;
  std::string_view rest = url;
  if (rest.starts_with("https://")) place.secure = true, rest.remove_prefix(8);
  else if (rest.starts_with("http://")) rest.remove_prefix(7);
  else return bad();
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto parts = split_host_port(rest);
  if (!parts || parts->host.empty() || rest.find_first_of("/@?# ") != rest.npos) return bad();
  place.host = parts->host;
  place.port = parts->port.value_or(place.secure ? 443 : 80);
  place.authority = rest;
  return place;
}

Result<std::unique_ptr<AdminClient>> AdminClient::make(Place place) {
  std::shared_ptr<const net::TlsContext> tls;
  if (place.secure) {
    auto made = net::TlsContext::client(place.tls);
    if (!made) return std::unexpected(made.error());
    tls = std::move(*made);
  }
  return std::make_unique<HttpAdminClient>(std::move(place), std::move(tls));
}

Result<json::Value> AdminClient::must(std::string_view method, std::string target, std::string body) {
  auto answer = ask(method, std::move(target), std::move(body));
  if (!answer) return std::unexpected(answer.error());
  if (!answer->good()) return fail(ErrorKind::conflict, refusal_text(*answer), Fault::client);
  return std::move(answer->body);
}

std::string refusal_text(const AdminClient::Answer& answer) {
  std::string sentence(answer.body.text("error_msg", answer.body.text("message")));
  if (sentence.empty()) sentence = answer.text.substr(0, 1000);
  if (sentence.empty()) sentence = fmt::format("the gateway answered {}", answer.status);
  while (sentence.ends_with('\n')) sentence.pop_back();
  if (answer.status == 401) sentence += ": --key-file or SLUICE_ADMIN_KEY gives the key";
  const json::Value* problems = answer.body.find("problems");
  if (problems != nullptr && problems->is_array() && !problems->as_array().empty()) {
    const auto count = problems->as_array().size();
    sentence = counted(count, "problem") + ":";
    for (const auto& problem : problems->as_array())
      sentence += fmt::format("\n  {}{}{}", problem.text("path"), problem.text("path").empty() ? "" : " ",
                              problem.text("what"));
  } else if (!answer.where.empty()) {
    sentence += "\n  " + answer.where;
  }
  return sentence;
}

std::string encoded(std::string_view text) {
  std::string out;
  percent_encode(text, out);
  return out;
}

}  // namespace sluice::cli
