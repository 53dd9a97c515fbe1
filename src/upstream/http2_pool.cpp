// SPDX-License-Identifier: Apache-2.0
#include "upstream/http2_pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "net/tls_facts.h"

namespace sluice::upstream {

// A request in line.
class Http2Pool::Turn {
 public:
  explicit Turn(Server& server) : server_(server) {}
  Turn(const Turn&) = delete;
  ~Turn();
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  Result<http::Http2Client*> await_resume() { return std::move(result_); }

 private:
  friend class Server;
  Server& server_;
  Turn *before_ = nullptr, *behind_ = nullptr;
  Instant deadline_ = never;
  std::coroutine_handle<> waiter_;
  Result<http::Http2Client*> result_ = nullptr;
};

class Http2Pool::Server final : public http::Http2Client::Owner {
 public:
  Server(Http2Pool& pool, PoolKey key)
      : pool_(pool), key_(key), timer_(pool.loop_, &Server::look, this) {}

  // Whoever is in line comes first.
  http::Http2Client* ready_for_new() const { return first_ == nullptr ? ready() : nullptr; }
  http::Http2Client* ready() const {
    for (const auto& connection : connections_) {
      if (connection->takes()) return connection.get();
    }
    return nullptr;
  }
  void use(Http2Way way) { way_ = std::move(way); }
  bool full() const { return waiting_ >= waiting_max; }
  std::size_t connections() const { return connections_.size(); }

  void enter(Turn& turn) {
    turn.deadline_ = after(pool_.loop_.now(), way_.connect_timeout);
    turn.before_ = last_;
    (last_ != nullptr ? last_->behind_ : first_) = &turn;
    last_ = &turn;
    ++waiting_;
    look_at(turn.deadline_);
    connect_if_needed();
  }
  void leave(Turn& turn) {
    (turn.before_ != nullptr ? turn.before_->behind_ : first_) = turn.behind_;
    (turn.behind_ != nullptr ? turn.behind_->before_ : last_) = turn.before_;
    turn.waiter_ = nullptr;
    --waiting_;
  }

  // Both are called inside of nghttp2: what comes of it happens at the loop's next look.
  void has_room(http::Http2Client&) override {
    if (first_ != nullptr) look_at(pool_.loop_.now());
  }
  void ended(http::Http2Client& connection) override {
    const auto place = std::ranges::find(connections_, &connection, &std::unique_ptr<http::Http2Client>::get);
    pool_.loop_.dispose(std::move(*place));
    connections_.erase(place);
    look_at(pool_.loop_.now());
  }

 private:
  void look_at(Instant when) {
    if (when >= next_look_) return;
    next_look_ = when;
    timer_.set(when);
  }
  static void look(void* self) { static_cast<Server*>(self)->serve_line(); }

  void resume(Turn& turn, Result<http::Http2Client*> result) {
    const auto waiter = turn.waiter_;
    leave(turn);
    turn.result_ = std::move(result);
    waiter.resume();
  }

  void serve_line() {
    next_look_ = never;
    if (failure_) refuse_line(*std::exchange(failure_, std::nullopt));
    while (first_ != nullptr) {
      http::Http2Client* connection = ready();
      if (connection == nullptr) break;
      resume(*first_, connection);
    }
    const Instant now = pool_.loop_.now();
    while (first_ != nullptr && first_->deadline_ <= now)
      resume(*first_,
             fail(ErrorKind::timeout, "no connection had room for the request in time", Fault::peer));
    if (first_ != nullptr) {
      look_at(first_->deadline_);
      return connect_if_needed();
    }
    if (!connections_.empty() || connecting_) return;
    const auto own = pool_.servers_.find(key_);
    pool_.loop_.dispose(std::move(own->second));
    pool_.servers_.erase(own);
  }

  // With a connection left, those in line still have something to wait for.
  void refuse_line(const Error& error) {
    for (std::size_t count = connections_.empty() ? waiting_ : 0; count > 0 && first_ != nullptr; --count)
      resume(*first_, std::unexpected(error));
  }

  // Not where the line is about to be served: by a connection that came, or has room again, just now.
  void connect_if_needed() {
    if (connecting_ || connections_.size() >= connections_max || ready() != nullptr) return;
    connecting_ = true;
    connect_.start(connect());
  }

  async::Task<Result<std::unique_ptr<net::Stream>>> open() {
    const Instant deadline = after(pool_.loop_.now(), way_.connect_timeout);
    auto stream = co_await pool_.network_.connect(pool_.loop_, way_.endpoint, deadline);
    if (!stream || way_.tls == nullptr) co_return stream;
    auto secured = net::tls_connect(way_.tls, std::move(*stream), way_.name, deadline, way_.resumption);
    stream = co_await secured;
    if (stream && (*stream)->tls()->application_protocol() != "h2") {
      co_return fail(ErrorKind::tls, "the server does not agree on HTTP/2 (ALPN h2)", Fault::peer);
    }
    co_return stream;
  }

  async::Task<> connect() {
    auto stream = co_await open();
    connecting_ = false;
    if (stream) {
      connections_.push_back(std::make_unique<http::Http2Client>(std::move(*stream), way_.options, *this));
      connections_.back()->start();
    } else {
      failure_ = std::move(stream.error());
    }
    look_at(pool_.loop_.now());
  }

  Http2Pool& pool_;
  PoolKey key_;
  Http2Way way_;
  std::vector<std::unique_ptr<http::Http2Client>> connections_;
  Turn *first_ = nullptr, *last_ = nullptr;
  std::size_t waiting_ = 0;
  bool connecting_ = false;
  std::optional<Error> failure_;  // of the last try to connect, to be told
  Instant next_look_ = never;
  async::Timer timer_;
  async::Child connect_;  // last: destroyed first
};

Http2Pool::Turn::~Turn() {
  if (waiter_) server_.leave(*this);
}

void Http2Pool::Turn::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  server_.enter(*this);
}

Http2Pool::Http2Pool(async::Loop& loop, net::Network& network) : loop_(loop), network_(network) {}

Http2Pool::~Http2Pool() = default;

http::Http2Client* Http2Pool::ready(PoolKey key) const {
  const auto found = servers_.find(key);
  return found == servers_.end() ? nullptr : found->second->ready_for_new();
}

async::Task<Result<http::Http2Client*>> Http2Pool::take(Http2Way way) {
  auto& place = servers_[way.key];
  if (place == nullptr) place = std::make_unique<Server>(*this, way.key);
  Server& server = *place;
  if (auto* connection = server.ready_for_new()) co_return connection;
  if (server.full()) {
    co_return fail(ErrorKind::limit,
                   std::to_string(waiting_max) + " requests wait for a connection to the server already",
                   Fault::peer);
  }
  server.use(std::move(way));
  Turn turn(server);
  auto result = co_await turn;
  co_return result;
}

std::size_t Http2Pool::connections() const {
  std::size_t sum = 0;
  for (const auto& [key, server] : servers_) sum += server->connections();
  return sum;
}

}  // namespace sluice::upstream
