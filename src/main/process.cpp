// SPDX-License-Identifier: Apache-2.0
#include "main/process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>

#include "async/join.h"
#include "main/admin_tls.h"
#include "main/listen.h"
#include "main/pem_file.h"
#include "plugins/list.h"

namespace sluice::main {
namespace {

constexpr Duration names_at_start = std::chrono::seconds(2);   // waited for before the first request is taken
constexpr Duration secrets_at_start = std::chrono::seconds(6);
constexpr Duration calls_within =
    std::chrono::seconds(5);  // of the Admin API, before a successor has the store
constexpr Duration answers_within = std::chrono::seconds(5);  // of the process's own ports, at its end

std::atomic<bool> objects_are_unshared{
    false};  // no worker runs: plugin objects may be deleted where they are dropped

async::Task<> close_local(std::unique_ptr<plugin::Local> local, std::function<void()> closed) {
  co_await local->close();
  local.reset();
  closed();
}

// On a connection from before the store went over; a new one reaches the process that has it.
http::Reply come_back_later() {
  http::Reply reply;
  reply.status = 503;
  reply.content_type = "application/json";
  reply.body = "{\"error_msg\":\"the gateway is taking up a changed configuration file; ask again\"}\n";
  reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

async::Task<> when_none(Calls& calls) { co_await Calls::None(calls); }

// What plugins keep on a worker is closed (loggers send what is left, each within a time), then its loop
// ends.
void close_locals(gateway::Worker& worker) {
  worker.stop_listening();
  auto all = worker.take_locals();
  auto left = std::make_shared<std::size_t>(all.size());
  if (all.empty()) worker.loop.stop();
  for (auto& local : all) {
    worker.loop.spawn(close_local(std::move(local), [&worker, left] {
      if (--*left == 0) worker.loop.stop();
    }));
  }
}

}  // namespace

Process::Process(Config config, std::string prefix, Listeners& listeners, Line& line)
    : config_(std::move(config)),
      prefix_(std::move(prefix)),
      registry_(plugins::all(), config_.plugins, config_.stream_plugins),
      validator_(registry_.types(), registry_.types(plugin::Subsystem::stream)),
      secret_places_(plugins::all()),
      checker_(control_, net::Network::system()),
      publisher_(control_),
      listeners_(listeners),
      line_(line) {}

Process::~Process() {
  stop_workers();
  objects_are_unshared = true;
}

Result<> Process::start() {
  signals_ = std::make_unique<Signals>(control_,
                                       std::initializer_list<int>{SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP,
                                                                  SIGUSR2},
                                       [this](int number) { on_signal(number); });
  ::signal(SIGPIPE, SIG_IGN);
  words_ = std::make_unique<LineEvents>(
      control_, line_, [this](Word word) { on_word(word); }, [this] { control_.stop(); });
  if (auto prepared = prepare(); !prepared) return prepared;
  if (auto free = wait_for_store(); !free) return free;
  auto opened = open_store(config_, prefix_, {control_, *names_, validator_, secret_places_});
  if (!opened) return std::unexpected(opened.error());
  store_ = std::move(*opened);
  if (auto loaded = load(); !loaded) return loaded;
  return serve_apis();
}

// All that may fail and needs no store: while it does, another process goes on serving.
Result<> Process::prepare() {
  std::error_code error;
  std::filesystem::create_directories(prefix_ + "/data", error);
  if (error) return fail(ErrorKind::system, "cannot create " + prefix_ + "/data: " + error.message());
  if (config_.admin) {
    auto keys = admin_keys();
    if (!keys) return std::unexpected(keys.error());
    admin_keys_ = std::move(*keys);
    auto tls = admin_tls(config_, prefix_);
    if (!tls) return std::unexpected(tls.error());
    admin_tls_ = std::move(*tls);
  }
  plugin::CacheZones::shared().configure(config_.cache);
  auto front = tls_front(config_);
  if (!front) return std::unexpected(front.error());
  tls_front_ = std::move(*front);
  auto roots = trusted_roots(config_, prefix_);
  if (!roots) return std::unexpected(roots.error());
  config_.gateway.roots = std::move(*roots);
  auto names = Names::make(control_, config_.resolver, [this](std::string_view name) {
    compiler_->name_changed(name);
    publisher_.publish(compiler_->snapshot(static_cast<std::uint64_t>(revision_)), control_.clock().now());
  });
  if (!names) return std::unexpected(names.error());
  names_ = std::move(*names);
  compiler_ = std::make_unique<gateway::Compiler>(config_.gateway, registry_, names_->of_upstreams(),
                                                  checker_, [this](const plugin::Plugin* plugin) {
                                                    if (objects_are_unshared)
                                                      delete plugin;
                                                    else
                                                      control_.post([this, plugin] { retire(plugin); });
                                                  });
  validator_.find_owner = [this](const plugin::PluginType& type, std::string_view credential) {
    return compiler_->latest().consumer_by_credential(*type.index, credential);
  };
  if (auto made = make_secrets(); !made) return made;
  return make_workers();
}

// The store has one owner: a process whose place this one takes lets go of it first.
Result<> Process::wait_for_store() {
  line_.say(Word::wants_store);
  while (!store_free_ && !control_.stopping()) control_.run_once(1h);
  if (!store_free_) return fail(ErrorKind::closed, "told to end before it served");
  return {};
}

Result<> Process::load() {
  for (const std::string_view kind : gateway::Compiler::load_order()) {
    auto scanned = store_->scan(
        std::string(model::key_prefix) + std::string(kind) + "/",
        [this](store::Entry&& entry) { take(entry.key, entry.value, entry.modified, entry.unreadable); });
    if (!scanned) return std::unexpected(scanned.error());
    revision_ = *scanned;
  }
  wait_for_secrets();
  publisher_.publish(compiler_->snapshot(static_cast<std::uint64_t>(revision_)), control_.clock().now());
  watch_store();
  names_->wait_for_first_answers(names_at_start);
  return {};
}

// A value that cannot be read changes nothing.
void Process::take(std::string_view key, std::optional<std::string_view> value, std::int64_t revision,
                   const std::string& unreadable) {
  if (unreadable.empty()) compiler_->change(key, value, revision);
  else compiler_->leave_out(key, unreadable);
}

Result<> Process::make_secrets() {
  std::string authorities;
  if (config_.trusted_certificate != "system") {
    auto read = read_pem_file(config_.trusted_certificate, prefix_, "/apisix/ssl/ssl_trusted_certificate");
    if (!read) return std::unexpected(read.error());
    authorities = std::move(*read);
  }
  auto resolve = [this](std::string name, Instant deadline) {
    return names_->resolve_for(control_, std::move(name), deadline);
  };
  auto asker = secrets::http_asker({control_, net::Network::system(), resolve, std::move(authorities)});
  secrets::Secrets::Events events;
  events.is_used = [this](std::string_view reference) { return compiler_->uses_secret(reference); };
  events.changed = [this](std::string_view reference) {
    compiler_->secret_changed(reference);
    if (publisher_.published() > 0)
      publisher_.publish(compiler_->snapshot(static_cast<std::uint64_t>(revision_)), control_.clock().now());
  };
  secrets_ = std::make_unique<secrets::Secrets>(control_, std::move(asker), config_.secret_lifetimes,
                                                std::move(events));
  compiler_->use_secrets(*secrets_);
  validator_.find_secret = [this](std::string_view reference) { return secrets_->known(reference); };
  return {};
}

// So that the first request does not meet routes whose secrets are still on their way.
void Process::wait_for_secrets() {
  const Instant end = after(control_.clock().now(), secrets_at_start);
  while (secrets_->waiting() && !control_.stopping() && control_.clock().now() < end)
    control_.run_once(end - control_.clock().now());
}

void Process::watch_store() {
  store_->report([this] {
    return store::NodeReport{node(), static_cast<store::Revision>(publisher_.applied()), 0};
  });
  watch_ = store_->watch(revision_,
                         [this](Result<std::vector<store::Change>> changes) { changed(std::move(changes)); });
}

void Process::changed(Result<std::vector<store::Change>> changes) {
  if (!changes) {
    log::error("the store's watch ended: {}; the configuration stays as it is until the next start",
               changes.error().what);
    return;
  }
  for (const auto& change : *changes) {
    take(change.key, change.value ? std::optional<std::string_view>(*change.value) : std::nullopt,
         change.revision, change.unreadable);
    revision_ = change.revision;
  }
  publisher_.publish(compiler_->snapshot(static_cast<std::uint64_t>(revision_)), changes->back().stored);
}

Result<admin::Keys> Process::admin_keys() {
  if (!config_.admin_key_required) {
    log::warn(
        "the Admin API asks for no key (admin_key_required: false, or admin_key: null): whoever reaches {} "
        "may change everything",
        config_.admin_listen.text());
    return admin::Keys();
  }
  std::vector<admin::Key> keys = config_.admin_keys;
  if (keys.empty()) {
    auto key = admin::load_or_make_key(prefix_ + "/data/admin.key");
    if (!key) return std::unexpected(key.error());
    keys.push_back({"admin", std::move(*key), admin::Role::admin});
  }
  const bool here = config_.admin_listen.address.is_loopback();
  return admin::Keys::make(std::move(keys), here ? admin::Reach::this_machine : admin::Reach::network);
}

Result<> Process::serve(Listeners::Place place, http::Service::Handler handler, std::string_view what,
                        std::shared_ptr<const net::TlsContext> tls) {
  auto service = std::make_unique<http::Service>(control_, net::Network::system(), std::move(handler));
  service->set_server_header(config_.gateway.server.server_header);
  for (const int socket : listeners_.take(place)) {
    auto bound = service->listen(place.at, tls, {.descriptor = socket});
    if (!bound) return std::unexpected(bound.error());
    log::notice("{} on {}", what, bound->text());
  }
  services_.push_back({std::move(service), place.port == Port::admin || place.port == Port::control});
  return {};
}

Result<> Process::serve_admin() {
  api_ = std::make_unique<admin::Api>(
      *store_, validator_, *this, Clock::system(),
      admin::Settings{std::move(admin_keys_), config_.admin_restricted, config_.admin_allow,
                      config_.stream_routes, config_.provider == StoreProvider::api,
                      config_.admin_v2 ? admin::Settings::Version::v2 : admin::Settings::Version::v3,
                      config_.admin_cors, [this](std::vector<std::string> references) {
                        return secrets_->ask(std::move(references));
                      }});
  return serve(
      {Port::admin, config_.admin_listen},
      [this](http::Request& request, const Endpoint& peer) { return ask_admin(request, peer.address); },
      "Admin API", admin_tls_);
}

Result<> Process::serve_apis() {
  if (config_.admin) {
    if (auto served = serve_admin(); !served) return served;
  }
  if (config_.control) {
    control_api_ = std::make_unique<admin::Control>(*store_, validator_, secret_places_, *this);
    auto handler = [this](http::Request& request, const Endpoint&) { return ask_control(request); };
    if (auto served = serve({Port::control, config_.control_listen}, handler, "control API"); !served)
      return served;
  }
  std::vector<gateway::Worker*> workers;
  for (const Thread& thread : threads_) workers.push_back(thread.worker.get());
  scrape_ = std::make_unique<Scrape>(control_, workers, config_.metrics, *this, config_.prometheus_uri);
  if (!config_.prometheus_export) {
    for (auto* worker : workers)
      worker->metrics_text = [this, worker] { return scrape_->read_from(worker->loop); };
  } else {
    auto handler = [this](http::Request& request, const Endpoint&) { return scrape_->handle(request); };
    if (auto served = serve({Port::metrics, config_.prometheus_listen}, handler, "metrics"); !served)
      return served;
  }
  if (config_.status) {
    auto handler = [this](http::Request& request, const Endpoint&) -> async::Task<http::Reply> {
      return admin::status_reply(*this, request);
    };
    if (auto served = serve({Port::status, config_.status_listen}, handler, "status API"); !served)
      return served;
  }
  return {};
}

async::Task<http::Reply> Process::ask_admin(http::Request& request, IpAddress peer) {
  if (letting_go_) co_return come_back_later();
  Calls::Guard under_way(calls_);
  auto task = api_->handle(request, peer);
  auto reply = co_await task;
  co_return reply;
}

async::Task<http::Reply> Process::ask_control(http::Request& request) {
  if (letting_go_) co_return come_back_later();
  Calls::Guard under_way(calls_);
  auto task = control_api_->handle(request);
  auto reply = co_await task;
  co_return reply;
}

void Process::run() {
  for (Thread& thread : threads_) {
    thread.thread = std::thread([&thread] { thread.loop->run(); });
  }
  started_ = true;
  line_.say(Word::ready);
  for (const auto& at : config_.gateway.listen)
    log::notice("serving on {} with {} workers", at.endpoint.text(), threads_.size());
  for (const auto& at : config_.gateway.stream_listen)
    log::notice("serving streams on {} with {} workers", at.endpoint.text(), threads_.size());
  for (const auto& at : config_.gateway.datagram_listen)
    log::notice("serving datagrams on {} with {} workers", at.endpoint.text(), threads_.size());
  control_.run();
  stop_workers();
}

// No snapshot refers to the plugin object: each worker closes what it keeps for it, then it is deleted.
void Process::retire(const plugin::Plugin* plugin) {
  auto left = std::make_shared<std::size_t>(threads_.size());
  auto closed = [this, plugin, left] {
    control_.post([plugin, left] {
      if (--*left == 0) delete plugin;
    });
  };
  for (Thread& thread : threads_) {
    thread.loop->post([&worker = *thread.worker, plugin, closed] {
      auto local = worker.take_local(*plugin);
      if (local == nullptr) closed();
      else worker.loop.spawn(close_local(std::move(local), closed));
    });
  }
}

void Process::on_signal(int number) {
  switch (number) {
    case SIGQUIT:
      if (!started_) return control_.stop();
      drain();
      return close_idle();
    case SIGUSR1:
      if (auto opened = log::reopen(); !opened) log::error("{}", opened.error().what);
      for (Thread& thread : threads_)
        thread.loop->post([&worker = *thread.worker] {
          worker.access_log().reopen();
          worker.stream_log().reopen();
        });
      return;
    case SIGHUP:  // the supervisor's
    case SIGUSR2:
      return;
    default:
      log::notice("stopping");
      control_.stop();
  }
}

void Process::on_word(Word word) {
  if (word == Word::store_is_free) store_free_ = true;
  else if (word == Word::let_go_of_store) control_.spawn(let_go_of_store());
  else if (word == Word::leave) leave();
}

// Calls under way are answered; what does not end in time is cut off without an answer. A connection that is
// new from now on waits in the socket for the process that takes the store.
async::Task<> Process::let_go_of_store() {
  if (letting_go_ || !started_) co_return;
  letting_go_ = true;
  for (Served& served : services_) {
    if (served.uses_store) served.service->drain();
  }
  auto first = co_await async::first_of(when_none(calls_), control_.sleep(calls_within));
  if (first.index() == 1) {
    log::warn("calls of the Admin API did not end within {} s: they are cut off", calls_within / 1s);
    std::erase_if(services_, [](const Served& served) { return served.uses_store; });
  }
  watch_.reset();
  api_.reset();
  control_api_.reset();
  store_.reset();
  line_.say(Word::let_go);
}

// Another process takes connections from now on.
void Process::leave() {
  for (Served& served : services_) served.service->drain();
  drain();
  auto left = std::make_shared<std::size_t>(threads_.size());
  for (Thread& thread : threads_) {
    thread.loop->post([this, left] {  // behind the message that stops listening
      control_.post([this, left] {
        if (--*left == 0) line_.say(Word::has_left);
      });
    });
  }
}

// Ends behind the last response, or when the time for that is over.
void Process::drain() {
  if (draining_ > 0) return;
  log::notice("finishing what is under way, for {} s at most",
              std::chrono::duration_cast<std::chrono::seconds>(config_.shutdown_timeout).count());
  draining_ = threads_.size();
  for (Thread& thread : threads_) {
    thread.loop->post([this, &worker = *thread.worker] {
      worker.drain([this] {
        control_.post([this] {
          if (--draining_ == 0) control_.spawn(end_behind_answers());
        });
      });
    });
  }
  control_.spawn([](async::Loop& loop, Duration patience) -> async::Task<> {
    co_await loop.sleep(patience);
    loop.stop();
  }(control_, config_.shutdown_timeout));
}

// The last client is gone; what the process's own ports are answering goes out too.
async::Task<> Process::end_behind_answers() {
  const Instant end = after(control_.now(), answers_within);
  const auto answers = [](const Served& served) { return served.service->answering() > 0; };
  while (std::ranges::any_of(services_, answers) && control_.now() < end) co_await control_.sleep(20ms);
  control_.stop();
}

void Process::close_idle() {
  for (Thread& thread : threads_)
    thread.loop->post([&worker = *thread.worker] { worker.close_idle(); });
}

void Process::stop_workers() {
  if (stopped_) return;
  stopped_ = true;
  for (Thread& thread : threads_) {
    if (thread.thread.joinable()) thread.loop->post([&worker = *thread.worker] { close_locals(worker); });
  }
  for (Thread& thread : threads_) {
    if (thread.thread.joinable()) thread.thread.join();
  }
  services_.clear();
  watch_.reset();
}

}  // namespace sluice::main
