// SPDX-License-Identifier: Apache-2.0
#include "gateway/worker.h"

#include <algorithm>

#include "base/log.h"
#include "gateway/session.h"

namespace sluice::gateway {
namespace {

constexpr Duration unknown_names_apart = 1s;   // in the log
constexpr Duration broken_headers_apart = 1s;  // likewise

}  // namespace

Worker::Worker(async::Loop& the_loop, unsigned the_number, net::Network& network, const Settings& settings,
               OnRetired retired)
    : plugin::Worker(the_loop, the_number),
      network_(network),
      settings_(settings),
      retired_(std::move(retired)),
      pool_(the_loop),
      http2_pool_(the_loop, network),
      access_log_(the_loop, settings.access_log),
      stream_log_(the_loop, settings.stream_log) {
  body_limits = settings.body_limits;
  https_port = settings.https_port;
  public_apis = &settings.public_apis;
}

Worker::~Worker() {
  listeners_.clear();
  streams_.clear();
  datagrams_.clear();
  sessions_.clear();  // destroys what runs, while the rest of the worker stands
  take_locals();      // and what plugins keep here, which may hold connections of the pool
}

Result<> Worker::listen(const ListenAddress& at, net::ListenOptions options,
                        std::shared_ptr<const net::TlsFront> tls) {
  auto listener = network_.listen(loop, at.endpoint, options,
                                  [this, tls, at](net::Accepted accepted) {
                                    take(std::move(accepted), at.proxy_protocol, tls);
                                  });
  if (!listener) return std::unexpected(listener.error());
  listeners_.push_back(std::move(*listener));
  return {};
}

void Worker::take(net::Accepted accepted, bool proxy_protocol,
                  const std::shared_ptr<const net::TlsFront>& tls) {
  ++counters.accepted;
  if (sessions_.size() >= settings_.connections_max) return refuse_connection(std::move(accepted));
  ++counters.handled;
  ++counters.active;
  auto session = std::make_unique<Session>(*this, std::move(accepted), counters.accepted);
  session->place = sessions_.size();
  Session& started = *session;
  sessions_.push_back(std::move(session));
  started.start(proxy_protocol, tls);
}

void Worker::refuse_connection(net::Accepted accepted) {
  static constexpr std::string_view busy =
      "HTTP/1.1 503 Service Temporarily Unavailable\r\nContent-Length: 0\r\nConnection: "
      "close\r\nRetry-After: 1\r\n\r\n";
  const iovec piece{const_cast<char*>(busy.data()), busy.size()};
  accepted.stream->try_write(&piece, 1);
  loop.dispose(std::move(accepted.stream));
}

void Worker::ended(Session& session) {
  const std::size_t place = session.place;
  if (place >= sessions_.size() || sessions_[place].get() != &session) return;  // on its way out already
  loop.dispose(std::move(sessions_[place]));
  if (place + 1 != sessions_.size()) {
    sessions_[place] = std::move(sessions_.back());
    sessions_[place]->place = place;
  }
  sessions_.pop_back();
  --counters.active;
  look_whether_drained();
}

void Worker::look_whether_drained() {
  if (draining_ && sessions_.empty() && streams_.empty() && datagrams_.empty() && drained_)
    std::exchange(drained_, nullptr)();
}

void Worker::drain(std::function<void()> drained) {
  draining_ = true;
  drained_ = std::move(drained);
  stop_listening();
  for (auto& session : sessions_) session->drain();
  datagrams_.drain();
  look_whether_drained();
}

void Worker::close_idle() {
  // A session that ends takes itself off the list, and the last one takes its place.
  std::vector<Session*> all;
  for (auto& session : sessions_) all.push_back(session.get());
  for (Session* session : all) session->close_if_idle();
}

void Worker::adopt(const Snapshot* snapshot) {
  auto fresh = std::make_unique<Pinned>();
  fresh->snapshot = snapshot;
  auto old = std::exchange(current_, std::move(fresh));
  if (old == nullptr) return;
  if (old->exchanges == 0) return retired_(old->snapshot);
  replaced_.push_back(std::move(old));
}

async::Task<Result<IpAddress>> Worker::resolve(const std::string& name, Instant deadline) {
  if (!resolver_)
    return Result<IpAddress>(
        fail(ErrorKind::resolve, "'" + name + "' cannot be resolved: no resolver is set up"));
  return resolver_(name, deadline);
}

std::shared_ptr<const net::TlsContext> Worker::find(std::string_view server_name) {
  const std::string_view name = server_name.empty() ? settings_.fallback_server_name : server_name;
  const auto* found = name.empty() ? nullptr : current_->snapshot->certificates.find(name);
  if (found != nullptr) return (*found)->context;
  if (loop.now() - unknown_name_told_ >= unknown_names_apart) {  // anybody can ask for anything
    unknown_name_told_ = loop.now();
    log::warn("a client was refused at its TLS handshake: {}; put an ssl with that sni, or set "
              "apisix.ssl.fallback_sni for clients that name no host",
              name.empty() ? "it named no host" : "no ssl is for '" + std::string(name) + "'");
  }
  return nullptr;
}

void Worker::tell_no_proxy_header(const Endpoint& client, std::string_view port, const Error& error) {
  if (loop.now() - no_proxy_header_told_ < broken_headers_apart) return;
  no_proxy_header_told_ = loop.now();
  log::warn("{}: hung up: {}; port {} is for proxies that send the PROXY protocol "
            "(apisix.proxy_protocol, proxy_protocol of a stream port), other clients use another port",
            client.text(), error.what, port);
}

std::shared_ptr<const net::TlsContext> Worker::outbound_tls(bool verify) {
  auto& context = outbound_tls_[verify ? 1 : 0];
  if (context == nullptr) {
    auto made = net::TlsContext::client({.verify = verify, .roots = settings_.roots});
    SLUICE_CHECK(made);  // there is nothing in it that an operator wrote
    context = std::move(*made);
  }
  return context;
}

Pinned* Worker::pin() {
  ++current_->exchanges;
  return current_.get();
}

void Worker::unpin(Pinned* pinned) {
  if (--pinned->exchanges > 0 || pinned == current_.get()) return;
  retired_(pinned->snapshot);
  std::erase_if(replaced_, [pinned](const auto& other) { return other.get() == pinned; });
}

const Chain& Worker::chain_for(Pinned& pinned, const RouteTarget& target, const plugin::Consumer& consumer,
                               Arena& arena) {
  const auto* entry = pinned.snapshot->consumers.find(consumer.name);
  if (entry == nullptr || (*entry)->chain.empty()) return target.chain;
  const Pinned::Pair pair{&target, &consumer};
  if (auto found = pinned.consumer_chains.find(pair); found != pinned.consumer_chains.end())
    return found->second;
  Chain merged = Chain::merge((*entry)->chain, target.chain);
  if (pinned.consumer_chains.size() >= consumer_chains_max) return *arena.make<Chain>(std::move(merged));
  return pinned.consumer_chains.emplace(pair, std::move(merged)).first->second;
}

}  // namespace sluice::gateway
