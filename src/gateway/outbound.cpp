// SPDX-License-Identifier: Apache-2.0
// Requests of the gateway's own, on a worker: loggers and authenticating plugins ask through these.
#include <array>

#include "async/join.h"
#include "base/hash.h"
#include "base/log.h"
#include "gateway/worker.h"
#include "http/client_connection.h"
#include "http/head_writer.h"
#include "http/url.h"
#include "net/ocsp.h"

namespace sluice::gateway {

namespace {

using http::Url;
using Reply = Result<plugin::OutboundReply>;

constexpr std::size_t ocsp_answer_max = 64 * 1024;  // bytes
constexpr upstream::KeepAlive kept{.size = 16, .idle_timeout = std::chrono::seconds(30)};


class Ask {
 public:
  Ask(Worker& worker, plugin::Outbound request, Url url)
      : worker_(worker), request_(std::move(request)), url_(std::move(url)),
        deadline_(after(worker.loop.now(), request_.timeout)) {}

  async::Task<Reply> run() {
    auto endpoint = co_await resolve();
    if (!endpoint) co_return std::unexpected(endpoint.error());
    key_ = combine_hashes(endpoint->hash(),
                          url_.secure ? combine_hashes(hash64(server_name()), request_.verify ? 3 : 2) : 0);
    for (bool fresh = false;; fresh = true) {
      connection_ = fresh ? nullptr : worker_.pool().take(key_);
      const bool reused = connection_ != nullptr;
      if (!reused) {
        auto connected = co_await connect(*endpoint);
        if (!connected) co_return std::unexpected(connected.error());
      }
      auto reply = co_await exchange();
      // An idle connection may have ended under the request: once more, over a new one.
      if (!reply && reused && reply.error().may_retry) continue;
      if (reply) worker_.pool().give(key_, kept, std::move(connection_));
      co_return reply;
    }
  }

 private:
  const std::string& server_name() const {
    return request_.server_name.empty() ? url_.host : request_.server_name;
  }

  async::Task<Result<Endpoint>> resolve() {
    if (const auto address = IpAddress::parse(url_.host)) co_return Endpoint{*address, url_.port};
    auto found = co_await worker_.resolve(url_.host, deadline_);
    if (!found) co_return std::unexpected(found.error());
    co_return Endpoint{*found, url_.port};
  }

  async::Task<Result<>> connect(Endpoint to) {
    auto stream = co_await worker_.network().connect(worker_.loop, to, deadline_);
    if (!stream) co_return std::unexpected(stream.error());
    if (url_.secure) {
      auto secured = net::tls_connect(worker_.outbound_tls(request_.verify), std::move(*stream),
                                      server_name(), deadline_, {worker_.tls_sessions(), key_});
      stream = co_await secured;
      if (!stream) co_return std::unexpected(stream.error());
    }
    connection_ = std::make_unique<http::ClientConnection>(std::move(*stream));
    co_return Result<>();
  }

  async::Task<Reply> exchange() {
    connection_->count_request();
    net::Buffer head;
    http::HeadWriter writer(head);
    writer.text(request_.method)
        .text(" ")
        .text(url_.target)
        .text(" HTTP/1.1\r\n")
        .field("Host", request_.authority.empty() ? url_.authority : request_.authority);
    for (const auto& [name, value] : request_.headers) writer.field(name, value);
    if (!request_.body.empty() || request_.method == "POST" || request_.method == "PUT") {
      writer.text("Content-Length: ").number(request_.body.size()).text("\r\n");
    }
    writer.end();
    const std::array<iovec, 2> pieces{iovec{head.data(), head.size()},
                                      iovec{request_.body.data(), request_.body.size()}};
    const ssize_t written = co_await connection_->stream().write(pieces, deadline_ - worker_.loop.now());
    if (written < 0) {
      co_return std::unexpected(
          Error{written == -ETIMEDOUT ? ErrorKind::timeout : ErrorKind::reset, Fault::peer,
                system_message("send to " + url_.authority, static_cast<int>(-written)), true});
    }
    arena_.clear();
    http::Response response(arena_);
    do {
      auto read = co_await connection_->read_head(response, worker_.settings().upstream_head, deadline_);
      if (!read) co_return std::unexpected(read.error());
    } while (response.status < 200);
    plugin::OutboundReply reply;
    reply.status = response.status;
    for (const auto& field : response.headers) reply.headers.emplace_back(field.name, field.value);
    connection_->open_body(http::method_of(request_.method), response, arena_, request_.timeout);
    auto read = co_await read_body(response, reply.body);
    if (!read) co_return std::unexpected(read.error());
    connection_->take_input();
    co_return reply;
  }

  async::Task<Result<>> read_body(http::Response& response, std::string& into) {
    while (response.body != nullptr && !response.body->ended()) {
      auto pulled = response.body->next();
      auto piece = co_await pulled;
      if (!piece) co_return std::unexpected(piece.error());
      if (into.size() + piece->size() > request_.response_max) {
        co_return fail(
            ErrorKind::limit,
            url_.authority + " answered with more than " + std::to_string(request_.response_max) + " bytes",
            Fault::peer);
      }
      into.append(*piece);
      if (worker_.loop.now() >= deadline_)
        co_return fail(ErrorKind::timeout, url_.authority + " did not answer in time", Fault::peer);
    }
    co_return Result<>();
  }

  Worker& worker_;
  plugin::Outbound request_;
  Url url_;
  Instant deadline_;
  upstream::PoolKey key_ = 0;
  Arena arena_;  // of the response; the connection refers to it until it is given back
  std::unique_ptr<http::ClientConnection> connection_;
};

async::Task<Reply> run_ask(Worker& worker, plugin::Outbound request, Url url) {
  Ask ask(worker, std::move(request), std::move(url));
  auto reply = co_await ask.run();
  co_return reply;
}

}  // namespace

async::Task<Result<plugin::OutboundReply>> Worker::ask(plugin::Outbound request) {
  auto url = http::parse_url(request.url);
  if (!url) return Reply(fail(ErrorKind::system, "'" + request.url + "' is no http or https URL"));
  return run_ask(*this, std::move(request), std::move(*url));
}

void Worker::ask_responder(std::shared_ptr<net::OcspStaple> staple) {
  std::erase_if(fetching_, [](const auto& child) { return child->ended(); });
  fetching_.push_back(std::make_unique<async::Child>());
  fetching_.back()->start(fetch_staple(std::move(staple)));
}

async::Task<> Worker::fetch_staple(std::shared_ptr<net::OcspStaple> staple) {
  plugin::Outbound request;
  request.method = "POST";
  request.url = staple->responder();
  request.headers.emplace_back("Content-Type", "application/ocsp-request");
  request.body = staple->request();
  request.response_max = ocsp_answer_max;
  request.timeout = std::chrono::seconds(10);
  auto asking = ask(std::move(request));
  auto answer = co_await asking;
  Result<> taken;
  if (!answer) taken = std::unexpected(answer.error());
  else if (answer->status != 200)
    taken = fail(ErrorKind::protocol, fmt::format("its answer has status {}", answer->status), Fault::peer);
  if (taken) taken = staple->take(answer->body, loop.now());
  else staple->failed(loop.now());
  if (!taken) log::error("no ocsp response send: {}: {}", staple->responder(), taken.error().what);
}

async::Task<Result<Endpoint>> Worker::endpoint_of(plugin::ConnectTo to) {
  if (const auto address = IpAddress::parse(to.host)) co_return Endpoint{*address, to.port};
  auto found = co_await resolve(to.host, to.deadline);
  if (!found) co_return std::unexpected(found.error());
  co_return Endpoint{*found, to.port};
}

async::Task<Result<std::unique_ptr<net::DatagramSocket>>> Worker::connect_datagrams(plugin::ConnectTo to) {
  auto finding = endpoint_of(std::move(to));
  const auto endpoint = co_await finding;
  if (!endpoint) co_return std::unexpected(endpoint.error());
  co_return net::DatagramSocket::connected(loop, *endpoint);
}

async::Task<Result<std::unique_ptr<net::Stream>>> Worker::connect(plugin::ConnectTo to) {
  auto finding = endpoint_of(to);
  const auto endpoint = co_await finding;
  if (!endpoint) co_return std::unexpected(endpoint.error());
  auto stream = co_await network_.connect(loop, *endpoint, to.deadline);
  if (!stream || !to.tls) co_return stream;
  const std::uint64_t key =
      combine_hashes(combine_hashes(endpoint->hash(), hash64(to.host)), to.verify ? 3 : 2);
  auto secured = net::tls_connect(outbound_tls(to.verify), std::move(*stream), to.host, to.deadline,
                                  {tls_sessions(), key});
  stream = co_await secured;
  co_return stream;
}

}  // namespace sluice::gateway
