// SPDX-License-Identifier: Apache-2.0
#include "http/service.h"

#include "base/log.h"

namespace sluice::http {

namespace {

// Also when the coroutine it stands in is destroyed half way.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  Counted(const Counted&) = delete;
  ~Counted() { --count_; }

 private:
  std::size_t& count_;
};

}  // namespace

struct Service::Client {
  net::Accepted accepted;
  std::unique_ptr<ServerConnection> connection;
  std::size_t place = 0;
  async::Child life;  // last: destroyed first
};

Service::Service(async::Loop& loop, net::Network& network, Handler handler)
    : loop_(loop), network_(network), handler_(std::move(handler)) {}

Service::~Service() = default;

Result<Endpoint> Service::listen(Endpoint at, std::shared_ptr<const net::TlsContext> tls,
                                 net::ListenOptions options) {
  auto listener = network_.listen(loop_, at, options,
                                  [this, tls](net::Accepted accepted) { take(std::move(accepted), tls); });
  if (!listener) return std::unexpected(listener.error());
  const Endpoint bound = (*listener)->endpoint();
  listeners_.push_back(std::move(*listener));
  return bound;
}

void Service::drain() {
  draining_ = true;
  listeners_.clear();
}

void Service::take(net::Accepted accepted, std::shared_ptr<const net::TlsContext> tls) {
  if (clients_.size() >= connections_max) return loop_.dispose(std::move(accepted.stream));
  auto client = std::make_unique<Client>();
  client->accepted = std::move(accepted);
  client->place = clients_.size();
  Client& started = *client;
  clients_.push_back(std::move(client));
  started.life.start(run(started, std::move(tls)));
}

void Service::ended(Client& client) {
  const std::size_t place = client.place;
  loop_.dispose(std::move(clients_[place]));
  if (place + 1 != clients_.size()) {
    clients_[place] = std::move(clients_.back());
    clients_[place]->place = place;
  }
  clients_.pop_back();
}

async::Task<> Service::run(Client& client, std::shared_ptr<const net::TlsContext> tls) {
  if (tls != nullptr) {
    auto secured = co_await net::tls_accept(std::move(tls), std::move(client.accepted.stream),
                                            after(loop_.now(), options_.header_timeout));
    if (!secured) {
      log::info("{}: {}", client.accepted.peer.text(), secured.error().what);
      ended(client);
      co_return;
    }
    client.accepted.stream = std::move(*secured);
  }
  client.connection = std::make_unique<ServerConnection>(std::move(client.accepted), options_);
  for (bool again = true; again;) {
    ssize_t waited = 0;
    if (!client.connection->has_input()) {
      waited = co_await client.connection->wait_idle();
    }
    again = waited == 0;
    if (again) again = co_await serve(*client.connection);
  }
  ended(client);
}

async::Task<bool> Service::serve(ServerConnection& connection) {
  Arena arena;
  Request request(arena);
  Response response(arena);
  ServerConnection::Sent sent;
  Reply reply;
  const auto head = co_await connection.read_head(request);
  if (head == ServerConnection::Head::closed) co_return false;
  const Counted counted(answering_);
  if (head == ServerConnection::Head::refused) {
    connection.stop_after_this();
    reply.status = connection.refusal().status;
    reply.body = std::string(connection.refusal().why) + "\n";
  } else {
    auto handled = handler_(request, connection.peer());
    reply = co_await handled;
  }
  if (draining_) connection.stop_after_this();
  response.status = reply.status;
  response.content = reply.body;
  if (!reply.content_type.empty()) response.headers.add("Content-Type", reply.content_type);
  else if (!reply.body.empty()) response.headers.add("Content-Type", "text/plain; charset=utf-8");
  for (const auto& [name, value] : reply.headers) response.headers.add(name, value);
  auto written = co_await connection.send(request, response, sent);
  if (!written) co_return false;
  const bool again = connection.finish(request);
  if (!again) co_await connection.close();
  co_return again;
}

}  // namespace sluice::http
