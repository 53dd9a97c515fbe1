// SPDX-License-Identifier: Apache-2.0
// What unit tests of plugins share: an exchange on a clock that stands still, a worker whose outbound
// requests are answered by the test, a configuration that is filled by hand. Only tests include it.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "json/text.h"
#include "plugin/exchange.h"
#include "plugin/plugin.h"

namespace sluice::plugin::testing {

class FakeWorker final : public Worker {
 public:
  using Worker::Worker;
  async::Task<Result<OutboundReply>> ask(Outbound request) override {
    asked.push_back(request);
    if (delay > Duration{}) return answer_later(std::move(request));
    return answer ? answer(asked.back())
                  : Result<OutboundReply>(fail(ErrorKind::refused, "this worker asks nobody"));
  }
  async::Task<Result<std::unique_ptr<net::Stream>>> connect(ConnectTo to) override {
    if (connecting) return connecting(to);
    return Result<std::unique_ptr<net::Stream>>(fail(ErrorKind::refused, "this worker connects to nobody"));
  }
  async::Task<Result<std::unique_ptr<net::DatagramSocket>>> connect_datagrams(ConnectTo) override {
    return Result<std::unique_ptr<net::DatagramSocket>>(
        fail(ErrorKind::refused, "this worker connects to nobody"));
  }
  std::vector<Outbound> asked;
  Duration delay{};  // before `answer` is asked
  std::function<Result<OutboundReply>(const Outbound&)> answer;
  std::function<Result<std::unique_ptr<net::Stream>>(const ConnectTo&)> connecting;

 private:
  async::Task<Result<OutboundReply>> answer_later(Outbound request) {
    auto waiting = loop.sleep(delay);
    co_await waiting;
    co_return answer(request);
  }
};

class FakeConfig final : public ConfigView {
 public:
  std::uint64_t revision() const override { return 1; }
  const void* metadata(std::uint16_t) const override { return metadata_value.get(); }
  const Consumer* consumer_by_credential(std::uint16_t, std::string_view credential) const override {
    const auto found = credentials.find(credential);
    return found == credentials.end() ? nullptr : &found->second;
  }
  const Consumer* consumer_by_name(std::string_view name) const override {
    for (const auto& [credential, consumer] : credentials)
      if (consumer.name == name) return &consumer;
    return nullptr;
  }
  std::shared_ptr<const void> metadata_value;  // of the one plugin under test
  std::map<std::string, Consumer, std::less<>> credentials;
};

inline json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  return value ? std::move(*value) : json::Value();
}

// The plugin of a config; null when the config does not hold, then `problem` has APISIX's sentence.
inline std::unique_ptr<const Plugin> make(const PluginType& type, std::string_view config,
                                          std::string* problem = nullptr) {
  json::Findings findings;
  json::Reader reader(findings);
  auto made = type.make(parsed(config), reader, "/apisix/routes/1");
  if (problem != nullptr) *problem = findings.sentence();
  return made;
}
// What is wrong with a config, "" when it holds.
inline std::string problem_of(const PluginType& type, std::string_view config) {
  std::string problem;
  const auto made = make(type, config, &problem);
  return made == nullptr && problem.empty() ? "refused without a word" : problem;
}

// Stands still until told otherwise; its wall time may be set, as an operator or a time server does.
class BenchClock final : public Clock {
 public:
  Instant now() const override { return steady_.now(); }
  std::int64_t wall() const override { return steady_.wall() + jumped_.count(); }
  void advance(Duration by) { steady_.advance(by); }
  void jump(Duration by) { jumped_ += by; }

 private:
  ManualClock steady_;
  Duration jumped_{};
};

// A worker, its loop and its clock; exchanges are made on it.
struct Bench {
  BenchClock clock;
  async::Loop loop{clock};
  FakeWorker worker{loop, 0};
  FakeConfig config;

  void use_metadata(const PluginType& type, std::string_view text) {
    json::Findings findings;
    json::Reader reader(findings);
    config.metadata_value = type.make_metadata(parsed(text), reader);
  }
  // Turns the loop until nothing is ready.
  void settle() {
    while (loop.run_once()) {
    }
  }
  void pass(Duration time) {
    clock.advance(time);
    settle();
  }
  // The wall clock is set, time goes on as it did; a loop notices within a second.
  void jump(Duration by) {
    clock.jump(by);
    pass(2s);
  }
  template <class T>
  T wait(async::Task<T> task) {
    if (task.await_ready()) return task.await_resume();
    std::optional<T> result;
    loop.spawn(keep(std::move(task), result));
    settle();
    constexpr int hours_max = 48;  // longer than any plugin may wait
    for (int hours = 0; !result && hours < hours_max; ++hours) pass(std::chrono::hours(1));
    SLUICE_CHECK(result.has_value());
    return std::move(*result);
  }

 private:
  template <class T>
  static async::Task<> keep(async::Task<T> task, std::optional<T>& result) {
    auto value = co_await task;
    result.emplace(std::move(value));
  }
};

// A request GET /path?query from 127.0.0.1.
struct Call {
  explicit Call(Bench& bench, std::string_view target = "/", std::string_view method = "GET")
      : x(bench.worker, *Endpoint::parse("127.0.0.1:40000"), *Endpoint::parse("127.0.0.1:9080")) {
    x.config = &bench.config;
    x.started = bench.clock.now();
    x.started_wall = bench.clock.wall();
    x.request.method = method;
    x.request.method_id = http::method_of(method);
    x.request.target = target;
    const auto mark = target.find('?');
    http::normalize_path(target.substr(0, mark), x.arena, x.request.path);
    if (mark != std::string_view::npos) x.request.query = target.substr(mark + 1);
    x.request.host = x.request.authority = "test.com";
    x.request.headers.add("Host", "test.com");
    x.remote_text = "127.0.0.1";
  }
  Call& header(std::string_view name, std::string_view value) {
    x.request.headers.add(name, value);
    return *this;
  }
  Call& respond(int status, std::string_view content = {}) {
    x.source = ResponseSource::upstream;
    x.response.status = status;
    x.response.content = content;
    return *this;
  }
  std::string request(std::string_view name) const {
    return std::string(x.request.headers.joined(name).value_or("<absent>"));
  }
  std::string response(std::string_view name) const {
    return std::string(x.response.headers.joined(name).value_or("<absent>"));
  }
  Exchange x;
};

// A body that comes in pieces.
class PiecedBody final : public http::Body {
 public:
  explicit PiecedBody(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  async::Task<Result<std::string_view>> next() override {
    if (at_ == pieces_.size()) return Result<std::string_view>(std::string_view());
    return Result<std::string_view>(std::string_view(pieces_[at_++]));
  }
  bool ended() const override { return at_ == pieces_.size(); }

 private:
  std::vector<std::string> pieces_;
  std::size_t at_ = 0;
};

// All of a body, or "error: …".
inline async::Task<std::string> read_all(http::Body& body) {
  std::string all;
  while (!body.ended()) {
    auto pulled = body.next();
    auto piece = co_await pulled;
    if (!piece) co_return "error: " + piece.error().what;
    if (piece->empty()) break;
    all += *piece;
  }
  co_return all;
}

}  // namespace sluice::plugin::testing
