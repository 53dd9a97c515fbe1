// SPDX-License-Identifier: Apache-2.0
#include "main/scrape.h"

#include <fmt/format.h>
#include <unistd.h>

namespace sluice::main {
namespace {

// Runs a function on another loop's thread and waits for what it returns. The state is shared with the
// message, so whoever waits may be gone when the answer comes.
template <class T>
class OnThread {
 public:
  OnThread(async::Loop& here, async::Loop& there, std::function<T()> work)
      : here_(here), there_(there), state_(std::make_shared<State>(State{std::move(work), {}, nullptr})) {}
  OnThread(const OnThread&) = delete;
  ~OnThread() { state_->frame = nullptr; }

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> frame) {
    state_->frame = frame;
    there_.post([state = state_, &here = here_] {
      state->result.emplace(state->work());
      here.post([state] {
        if (state->frame) std::exchange(state->frame, nullptr).resume();
      });
    });
  }
  T await_resume() { return std::move(*state_->result); }

 private:
  struct State {
    std::function<T()> work;
    std::optional<T> result;
    std::coroutine_handle<> frame;  // the waiting side's only
  };
  async::Loop& here_;
  async::Loop& there_;
  std::shared_ptr<State> state_;
};

struct Answer {
  plugin::Metrics::Slice slice;
  plugin::Metrics::Cursor cursor;
  gateway::WorkerCounters counters;
};

void gauge(const std::string& prefix, std::string_view name, std::string_view help, std::string& out) {
  fmt::format_to(std::back_inserter(out), "# HELP {0}{1} {2}\n# TYPE {0}{1} gauge\n", prefix, name, help);
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

}  // namespace

async::Task<> Scrape::collect(gateway::Worker& worker, plugin::MetricsSum& sum,
                              gateway::WorkerCounters& counters) {
  plugin::Metrics::Cursor cursor;
  for (bool first = true;; first = false) {
    OnThread<Answer> asking(control_, worker.loop, [&worker, cursor] {
      Answer answer{{}, cursor, worker.counters};
      answer.slice = worker.metrics.slice(answer.cursor, slice_series);
      return answer;
    });
    const Answer answer = co_await asking;
    if (first) {
      counters.accepted += answer.counters.accepted;
      counters.handled += answer.counters.handled;
      counters.requests += answer.counters.requests;
      counters.active += answer.counters.active;
      counters.waiting += answer.counters.waiting;
      sum.add_dropped(answer.slice);
    }
    if (answer.slice.empty()) co_return;
    sum.add(answer.slice);
    cursor = answer.cursor;
  }
}

void Scrape::write_gauges(const gateway::WorkerCounters& counters, std::string& out) const {
  auto to = std::back_inserter(out);
  const std::string& prefix = settings_.prefix;
  gauge(prefix, "http_requests_total", "Requests served since the start.", out);
  fmt::format_to(to, "{}http_requests_total {}\n", prefix, counters.requests);
  gauge(
      prefix, "nginx_http_current_connections",
      "Connections of clients: active now, of these waiting for a request and at work on one (writing), and "
      "accepted and handled since the start.",
      out);
  const std::pair<std::string_view, std::uint64_t> states[] = {
      {"accepted", counters.accepted}, {"active", counters.active},
      {"handled", counters.handled},   {"waiting", counters.waiting},
      {"writing", counters.active - std::min(counters.waiting, counters.active)}};
  for (const auto& [state, count] : states)
    fmt::format_to(to, "{}nginx_http_current_connections{{state=\"{}\"}} {}\n", prefix, state, count);
  const json::Value left_out = status_.left_out();
  const auto* left_out_total = left_out.find("total");
  gauge(prefix, "resources_left_out", "Resources whose latest value is stored and cannot be served.", out);
  fmt::format_to(to, "{}resources_left_out {}\n", prefix,
                 left_out_total == nullptr ? 0 : left_out_total->as_int());
  gauge(prefix, "node_info", "This node.", out);
  std::string host;
  plugin::append_label_value(host_name(), host);
  fmt::format_to(to, "{}node_info{{hostname=\"{}\",version=\"{}\"}} 1\n", prefix, host, SLUICE_VERSION);
}

void Scrape::write_health(std::string& out) const {
  const json::Value health = status_.health();
  if (!health.is_array() || health.as_array().empty()) return;
  gauge(settings_.prefix, "upstream_status", "Peers as health checks see them: 1 is healthy.", out);
  for (const auto& checker : health.as_array()) {
    const auto* nodes = checker.find("nodes");
    if (nodes == nullptr || !nodes->is_array()) continue;
    for (const auto& node : nodes->as_array()) {
      const auto state = node.text("status");
      std::string name, ip;
      plugin::append_label_value(checker.text("name"), name);
      plugin::append_label_value(node.text("ip"), ip);
      const auto* port = node.find("port");
      fmt::format_to(std::back_inserter(out), "{}upstream_status{{name=\"{}\",ip=\"{}\",port=\"{}\"}} {}\n",
                     settings_.prefix, name, ip, port != nullptr && port->is_integer() ? port->as_int() : 0,
                     state == "healthy" || state == "mostly_healthy" ? 1 : 0);
    }
  }
}

async::Task<http::Reply> Scrape::read() {
  http::Reply reply;
  plugin::MetricsSum sum;
  gateway::WorkerCounters counters;
  for (auto* worker : workers_) co_await collect(*worker, sum, counters);
  write_gauges(counters, reply.body);
  write_health(reply.body);
  while (sum.write(settings_, slice_series, reply.body)) {
    OnThread<int> turn(control_, control_, [] { return 0; });  // others have their turn
    co_await turn;
  }
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  co_return reply;
}

async::Task<http::Reply> Scrape::handle(http::Request& request) {
  if (request.path == uri_ &&
      (request.method_id == http::Method::get || request.method_id == http::Method::head))
    return read();
  return http::Reply{404, "metrics are at GET " + uri_ + "\n", {}, {}};
}

// A question from another thread. The frame that waits is the asking side's only.
struct Scrape::Asked {
  http::Reply reply;
  std::coroutine_handle<> frame;
};

async::Task<> Scrape::answer(std::shared_ptr<Asked> asked, async::Loop& there) {
  auto reading = read();
  auto reply = co_await reading;
  there.post([asked, reply = std::make_shared<http::Reply>(std::move(reply))] {
    asked->reply = std::move(*reply);
    if (asked->frame) std::exchange(asked->frame, nullptr).resume();
  });
}

async::Task<http::Reply> Scrape::read_from(async::Loop& here) {
  struct Wait {
    std::shared_ptr<Asked> asked = std::make_shared<Asked>();
    Wait() = default;
    Wait(const Wait&) = delete;
    ~Wait() { asked->frame = nullptr; }
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> frame) { asked->frame = frame; }
    http::Reply await_resume() { return std::move(asked->reply); }
  };
  Wait wait;
  control_.post([this, asked = wait.asked, &here] { control_.spawn(answer(asked, here)); });
  auto reply = co_await wait;
  co_return reply;
}

}  // namespace sluice::main
