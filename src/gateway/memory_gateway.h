// SPDX-License-Identifier: Apache-2.0
// A whole gateway in one thread and one network in memory, with a clock that stands still: what tests and
// fuzzing drive. Resources go in as the store would hand them over; clients and peers are made of bytes.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/child.h"
#include "gateway/compiler.h"
#include "gateway/publisher.h"
#include "gateway/worker.h"
#include "net/loopback.h"

namespace sluice::gateway {

class MemoryGateway {
 public:
  explicit MemoryGateway(std::span<const plugin::PluginType* const> plugins = {}, Settings the_settings = {})
      : settings(prepared(std::move(the_settings))),
        registry(plugins, {}),
        checker(loop, network),
        publisher(loop),
        compiler(std::make_unique<Compiler>(
            settings, registry, names, checker,
            [this](const plugin::Plugin* dropped) { drop(dropped); })),
        worker(std::make_unique<Worker>(
            loop, 0u, network, settings,
            [this](const Snapshot* snapshot) { publisher.retired(snapshot); })) {
    publisher.add(*worker);
    static_cast<void>(worker->listen({endpoint, false}, {}));
    publish();
  }
  MemoryGateway(const MemoryGateway&) = delete;
  ~MemoryGateway() {
    settle();
    worker.reset();
    settle();
  }

  // "routes/1" is now `text`; nothing takes it away. False when it does not hold.
  bool put(std::string_view key, std::optional<std::string_view> text) {
    const bool held = compiler->change("/apisix/" + std::string(key), text, ++revision);
    publish();
    return held;
  }
  void publish() {
    publisher.publish(compiler->snapshot(static_cast<std::uint64_t>(revision)), loop.now());
    settle();
  }
  void settle() {
    for (int i = 0; i < 100'000 && loop.run_once(); ++i) {
    }
  }
  void pass(Duration time) {
    clock.advance(time);
    settle();
  }

  class Client {
   public:
    Client(MemoryGateway& gateway, std::unique_ptr<net::Stream> stream)
        : gateway_(gateway), stream_(std::move(stream)) {}
    void send(std::string_view bytes) {
      while (!bytes.empty()) {
        const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
        const ssize_t count = stream_->try_write(&piece, 1);
        if (count <= 0) break;
        bytes.remove_prefix(static_cast<std::size_t>(count));
        gateway_.settle();
      }
    }
    void half_close() {
      stream_->shutdown_write();
      gateway_.settle();
    }
    void hang_up() {
      stream_.reset();
      gateway_.settle();
    }
    // Everything that has come since the last call.
    std::string received() {
      std::string all;
      char bytes[4096];
      for (ssize_t count; (count = stream_->try_read(bytes, sizeof bytes)) > 0; gateway_.settle())
        all.append(bytes, static_cast<std::size_t>(count));
      return all;
    }
    std::string say(std::string_view bytes) {
      send(bytes);
      return received();
    }
    // The gateway has ended the connection.
    bool closed() {
      char byte;
      return stream_->try_read(&byte, 1) == 0;
    }

   private:
    MemoryGateway& gateway_;
    std::unique_ptr<net::Stream> stream_;
  };
  Client connect() { return connect(endpoint); }
  Client connect(Endpoint to) {
    std::optional<Result<std::unique_ptr<net::Stream>>> connected;
    loop.spawn(keep(network.connect(loop, to, never), connected));
    settle();
    return {*this, std::move(**connected)};
  }
  std::string get(std::string_view target, std::string_view fields = "") {
    Client client = connect();
    return client.say("GET " + std::string(target) + " HTTP/1.1\r\nHost: a.test\r\n" + std::string(fields) +
                      "\r\n");
  }

  // A server: `answer` gets what was read so far and gives bytes to send; it clears what it has answered.
  // Without an answer the connection is closed.
  class Peer {
   public:
    using Answer = std::function<std::optional<std::string>(std::string& read)>;
    Peer(MemoryGateway& gateway, Endpoint at, Answer answer) : answer_(std::move(answer)) {
      listener_ = std::move(*gateway.network.listen(gateway.loop, at, {}, [this](net::Accepted accepted) {
        ++connections;
        lives_.push_back(std::make_unique<async::Child>());
        lives_.back()->start(serve(*this, std::move(accepted.stream)));
      }));
    }
    std::size_t connections = 0;
    std::string seen;  // all that was read

   private:
    static async::Task<> serve(Peer& self, std::unique_ptr<net::Stream> taken) {
      const auto stream = std::move(taken);  // a local ends with the body, a parameter with the frame
      std::string read;
      char bytes[4096];
      for (;;) {
        const ssize_t count = co_await stream->read(bytes, sizeof bytes, never);
        if (count <= 0) co_return;
        read.append(bytes, static_cast<std::size_t>(count));
        self.seen.append(bytes, static_cast<std::size_t>(count));
        const auto answered = self.answer_(read);
        if (!answered) co_return;
        if (answered->empty()) continue;
        const ssize_t written = co_await stream->write(*answered, 1h);
        if (written < 0) co_return;
      }
    }
    Answer answer_;
    std::unique_ptr<net::Listener> listener_;
    std::vector<std::unique_ptr<async::Child>> lives_;  // last: destroyed first
  };
  // Answers each whole head with `reply`.
  static Peer::Answer replying(std::string reply) {
    return [reply = std::move(reply)](std::string& read) -> std::optional<std::string> {
      if (read.find("\r\n\r\n") == read.npos) return "";
      read.clear();
      return reply;
    };
  }

  ManualClock clock;
  async::Loop loop{clock};
  net::Loopback network;
  const Endpoint endpoint{IpAddress::loopback(), 9080};
  Settings settings;
  plugin::Registry registry;

 private:
  struct NoNames final : upstream::Names {
    void use(std::string_view) override {}
    void release(std::string_view) override {}
    const std::vector<IpAddress>* find(std::string_view) const override { return nullptr; }
  };
  static Settings prepared(Settings settings) {
    settings.access_log.on = false;
    return settings;
  }
  static async::Task<> keep(async::Task<Result<std::unique_ptr<net::Stream>>> task,
                            std::optional<Result<std::unique_ptr<net::Stream>>>& into) {
    auto outcome = co_await task;
    into.emplace(std::move(outcome));
  }
  void drop(const plugin::Plugin* dropped) {
    if (worker != nullptr) worker->take_local(*dropped);
    delete dropped;
  }

 public:
  NoNames names;
  upstream::HealthChecker checker;
  Publisher publisher;
  std::unique_ptr<Compiler> compiler;
  std::unique_ptr<Worker> worker;
  std::int64_t revision = 1;
};

}  // namespace sluice::gateway
