// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <array>

#include "http/head_writer.h"

namespace sluice::http {
namespace {

constexpr HeadLimits head_limits;

std::unexpected<Error> not_sent(Error error) {
  error.may_retry = true;
  return std::unexpected(std::move(error));
}

}  // namespace

// One request and its response on one connection.
class Client::Exchange final : public Streamed {
 public:
  explicit Exchange(std::unique_ptr<ClientConnection> connection) : connection_(std::move(connection)) {}

  async::Task<Result<>> run(std::shared_ptr<const Question> asked, std::string authority, Duration patience) {
    const Question& question = *asked;
    async::Loop& loop = connection_->stream().loop();
    connection_->count_request();
    net::Buffer head;
    write_head(question, authority, head);
    const std::array<iovec, 2> pieces{iovec{head.data(), head.size()},
                                      iovec{const_cast<char*>(question.body.data()), question.body.size()}};
    const ssize_t written = co_await connection_->stream().write(pieces, question.deadline - loop.now());
    if (written < 0) {
      co_return std::unexpected(Error{written == -ETIMEDOUT ? ErrorKind::timeout : ErrorKind::reset,
                                      Fault::peer, system_message("send", static_cast<int>(-written)),
                                      written != -ETIMEDOUT});
    }
    do {
      auto read = co_await connection_->read_head(response_, head_limits, question.deadline);
      if (!read) co_return std::unexpected(read.error());
    } while (response_.status < 200);
    connection_->open_body(method_of(question.method), response_, arena_, patience);
    co_return Result<>();
  }

  int status() const override { return response_.status; }
  Fields headers() const {
    Fields copied;
    for (const Header& header : response_.headers) copied.emplace_back(header.name, header.value);
    return copied;
  }
  async::Task<Result<std::string_view>> next() override {
    if (response_.body == nullptr || response_.body->ended()) return Result<std::string_view>("");
    return response_.body->next();
  }

  async::Task<Result<std::string>> rest(Instant deadline, std::size_t size_max) {
    async::Loop& loop = connection_->stream().loop();
    std::string all;
    while (response_.body != nullptr && !response_.body->ended()) {
      auto pulled = response_.body->next();
      auto piece = co_await pulled;
      if (!piece) co_return std::unexpected(piece.error());
      if (all.size() + piece->size() > size_max) {
        co_return fail(ErrorKind::limit, "the answer has more than " + std::to_string(size_max) + " bytes",
                       Fault::peer);
      }
      all.append(*piece);
      if (loop.now() >= deadline)
        co_return fail(ErrorKind::timeout, "the answer did not end in time", Fault::peer);
    }
    co_return all;
  }

  // The connection, when another request may follow on it.
  std::unique_ptr<ClientConnection> release() {
    if (!connection_->reusable()) return nullptr;
    connection_->take_input();
    return std::move(connection_);
  }

 private:
  static void write_head(const Question& question, const std::string& authority, net::Buffer& head) {
    HeadWriter writer(head);
    writer.text(question.method).text(" ").text(question.target).text(" HTTP/1.1\r\n");
    writer.field("Host", authority);
    for (const auto& [name, value] : question.headers) writer.field(name, value);
    if (!question.body.empty() || question.method == "POST" || question.method == "PUT")
      writer.text("Content-Length: ").number(question.body.size()).text("\r\n");
    writer.end();
  }

  std::unique_ptr<ClientConnection> connection_;
  Arena arena_;  // of the response; the body in it refers to the connection, so it goes first
  Response response_{arena_};
};

Client::Client(async::Loop& loop, net::Network& network, Server server, Resolve resolve)
    : loop_(loop), network_(network), server_(std::move(server)), resolve_(std::move(resolve)) {}

Client::~Client() = default;

async::Task<Result<Client::Answer>> Client::ask(Question question) {
  const Instant deadline = question.deadline;
  const std::size_t answer_max = question.answer_max;
  auto exchange =
      co_await begin(std::make_shared<const Question>(std::move(question)), deadline - loop_.now());
  if (!exchange) co_return std::unexpected(exchange.error());
  auto body = co_await (*exchange)->rest(deadline, answer_max);
  if (!body) co_return std::unexpected(body.error());
  Answer answer{(*exchange)->status(), std::move(*body), (*exchange)->headers()};
  auto connection = (*exchange)->release();
  if (connection != nullptr && idle_.size() < idle_max) idle_.push_back(std::move(connection));
  co_return answer;
}

async::Task<Result<std::unique_ptr<Client::Streamed>>> Client::open(Question question, Duration patience) {
  auto exchange = co_await begin(std::make_shared<const Question>(std::move(question)), patience);
  if (!exchange) co_return std::unexpected(exchange.error());
  co_return std::unique_ptr<Streamed>(std::move(*exchange));
}

// Up to the response's head. A kept connection may have ended under the request: once more, over a new one.
async::Task<Result<std::unique_ptr<Client::Exchange>>> Client::begin(
    std::shared_ptr<const Question> question, Duration patience) {
  for (;;) {
    auto connection = take_idle();
    const bool reused = connection != nullptr;
    if (!reused) {
      auto fresh = co_await connect(question->deadline);
      if (!fresh) co_return std::unexpected(fresh.error());
      connection = std::move(*fresh);
    }
    auto exchange = std::make_unique<Exchange>(std::move(connection));
    auto begun = co_await exchange->run(question, server_.authority, patience);
    if (begun) co_return exchange;
    if (reused && begun.error().may_retry && question->repeatable) continue;
    begun.error().may_retry = false;
    co_return std::unexpected(begun.error());
  }
}

std::unique_ptr<ClientConnection> Client::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->clean() && connection->stream().idle_and_whole()) return connection;
  }
  return nullptr;
}

async::Task<Result<Endpoint>> Client::address(Instant deadline) {
  if (const auto literal = IpAddress::parse(server_.host)) co_return Endpoint{*literal, server_.port};
  auto found = co_await resolve_(server_.host, deadline);
  if (!found) co_return not_sent(found.error());
  co_return Endpoint{*found, server_.port};
}

async::Task<Result<std::unique_ptr<ClientConnection>>> Client::connect(Instant deadline) {
  auto to = co_await address(deadline);
  if (!to) co_return std::unexpected(to.error());
  auto stream = co_await network_.connect(loop_, *to, deadline);
  if (!stream) co_return not_sent(stream.error());
  if (server_.tls != nullptr) {
    const std::string& name = server_.server_name.empty() ? server_.host : server_.server_name;
    stream = co_await net::tls_connect(server_.tls, std::move(*stream), name, deadline);
    if (!stream) co_return not_sent(stream.error());
  }
  co_return std::make_unique<ClientConnection>(std::move(*stream));
}

}  // namespace sluice::http
