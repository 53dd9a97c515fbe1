// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_checker.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "async/timer.h"
#include "base/log.h"
#include "base/text.h"

namespace sluice::upstream {
namespace {

constexpr std::size_t status_line_max = 1024;

// "HTTP/1.1 200 OK" → 200; nothing for what is no status line.
std::optional<int> status_of(std::string_view line) {
  if (!starts_with_ignoring_case(line, "HTTP/")) return std::nullopt;
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  line.remove_prefix(blank);
  while (line.starts_with(' ')) line.remove_prefix(1);
  if (line.size() < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2])) return std::nullopt;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

HealthEvent event_of(const Error& error) {
  return error.kind == ErrorKind::timeout ? HealthEvent::timeout : HealthEvent::tcp_failure;
}
HealthEvent event_of(ssize_t result) {
  return result == -ETIMEDOUT ? HealthEvent::timeout : HealthEvent::tcp_failure;
}

json::Value node_report(const HealthTarget& target) {
  const HealthState::View view = target.health->state().view();
  json::Value counter = json::Value::object({{"success", view.successes},
                                             {"http_failure", view.http_failures},
                                             {"tcp_failure", view.tcp_failures},
                                             {"timeout_failure", view.timeouts}});
  const std::string ip = target.endpoint.address.text();
  return json::Value::object({{"ip", ip},
                              {"port", target.endpoint.port},
                              {"hostname", target.host.empty() ? ip : target.host},
                              {"status", name_of(view.status)},
                              {"counter", std::move(counter)}});
}

}  // namespace

// The checks of one upstream. Shared with its probes under way, which look at `stopped_` before they count.
class HealthChecker::Run : public std::enable_shared_from_this<Run> {
 public:
  Run(async::Loop& loop, net::Network& network)
      : loop_(loop), network_(network), timer_(loop, &Run::wake, this) {}

  Result<> set(HealthSubject subject) {
    if (subject.check.type == model::CheckType::https) {
      auto context = net::TlsContext::client(
          {.verify = subject.check.https_verify_certificate, .roots = subject.roots});
      if (!context) return std::unexpected(std::move(context.error()));
      tls_ = std::move(*context);
    }
    std::vector<Target> targets;
    for (HealthTarget& target : subject.targets) {
      const auto known = std::find_if(targets_.begin(), targets_.end(), [&](const Target& old) {
        return old.server.endpoint == target.endpoint && old.server.host == target.host;
      });
      const bool goes_on = known != targets_.end();
      targets.push_back({std::move(target), goes_on ? known->due : loop_.now(),
                         goes_on ? known->serial : ++last_serial_, goes_on && known->asked});
    }
    targets_ = std::move(targets);
    subject_ = std::move(subject);
    subject_.targets.clear();
    tick();
    return {};
  }

  void stop() {
    stopped_ = true;
    timer_.cancel();
  }

  json::Value report() const {
    json::Value nodes = json::Value::array();
    for (const Target& target : targets_) nodes.push_back(node_report(target.server));
    const char* type = subject_.check.type == model::CheckType::tcp     ? "tcp"
                       : subject_.check.type == model::CheckType::https ? "https"
                                                                        : "http";
    return json::Value::object({{"name", subject_.name}, {"type", type}, {"nodes", std::move(nodes)}});
  }

 private:
  struct Target {
    HealthTarget server;
    Instant due;
    std::uint64_t serial;  // names the target for its probe, whatever an edit does to the list
    bool asked;            // a probe is under way
  };

  static void wake(void* self) { static_cast<Run*>(self)->tick(); }

  Instant deadline() const { return after(loop_.now(), timeout()); }
  Duration timeout() const {
    return std::clamp<Duration>(subject_.check.timeout, std::chrono::milliseconds(1), std::chrono::hours(1));
  }

  // Starts what is due, as far as the concurrency allows, and sets the timer for the rest.
  void tick() {
    if (stopped_) return;
    again_ = false;
    const auto limit = static_cast<std::size_t>(std::max(subject_.check.concurrency, 1));
    Instant next = never;
    for (Target& target : targets_) {
      if (target.asked) continue;
      if (target.due > loop_.now()) {
        next = std::min(next, target.due);
      } else if (running_ < limit) {
        const bool well = target.server.health->usable();
        const int interval = well ? subject_.check.healthy.interval : subject_.check.unhealthy.interval;
        target.asked = true;
        target.due = loop_.now() + std::chrono::seconds(std::max(interval, 1));
        ++running_;
        loop_.spawn(run(shared_from_this(), target.serial, target.server));
      }
    }
    timer_.set(again_ ? loop_.now() : next);
  }

  static async::Task<> run(std::shared_ptr<Run> self, std::uint64_t serial, HealthTarget server) {
    Outcome outcome = co_await self->probe(server);
    --self->running_;
    if (self->stopped_) co_return;
    if (outcome.status) {
      server.health->probed_status(*outcome.status);
    } else {
      server.health->probed(outcome.event);
    }
    for (Target& target : self->targets_) {
      if (target.serial == serial) target.asked = false;
    }
    self->again_ = true;  // from the loop's top level, not from inside another tick
    self->timer_.set(self->loop_.now());
  }

  struct Outcome {
    HealthEvent event = HealthEvent::success;
    std::optional<int> status;
  };

  async::Task<Outcome> probe(const HealthTarget& server) {
    const Instant until = deadline();
    Endpoint to = server.endpoint;
    if (subject_.check.port) to.port = *subject_.check.port;
    auto stream = co_await network_.connect(loop_, to, until);
    if (!stream) co_return Outcome{event_of(stream.error()), {}};
    if (subject_.check.type == model::CheckType::tcp) co_return Outcome{};
    if (subject_.check.type == model::CheckType::https && tls_ != nullptr) {
      auto secure = co_await net::tls_connect(tls_, std::move(*stream), name_of_host(server), until);
      if (!secure) co_return Outcome{event_of(secure.error()), {}};
      stream = std::move(secure);
    }
    const std::string request = request_text(server);
    const ssize_t sent = co_await (*stream)->write(request, timeout());
    if (sent < 0) co_return Outcome{event_of(sent), {}};
    char line[status_line_max];
    std::size_t length = 0;
    while (length < sizeof line && std::memchr(line, '\n', length) == nullptr) {
      const ssize_t got = co_await (*stream)->read(line + length, sizeof line - length, until);
      if (got <= 0) co_return Outcome{got == 0 ? HealthEvent::tcp_failure : event_of(got), {}};
      length += static_cast<std::size_t>(got);
    }
    const auto status = status_of({line, length});
    co_return Outcome{HealthEvent::tcp_failure, status};
  }

  std::string name_of_host(const HealthTarget& server) const {
    if (!subject_.check.host.empty()) return subject_.check.host;
    return server.host.empty() ? server.endpoint.address.text() : server.host;
  }

  std::string request_text(const HealthTarget& server) const {
    const model::ActiveCheck& check = subject_.check;
    std::string text = check.http_method + " " + check.http_path + " HTTP/1.1\r\nConnection: close\r\n";
    for (const std::string& line : check.req_headers) text += line + "\r\n";
    if (!check.http_req_body.empty())
      text += "Content-Length: " + std::to_string(check.http_req_body.size()) + "\r\n";
    std::string host = name_of_host(server);
    if (host.find(':') != std::string::npos && !host.starts_with('[') && IpAddress::parse(host))
      host = "[" + host + "]";
    return text + "Host: " + host + "\r\n\r\n" + check.http_req_body;
  }

  async::Loop& loop_;
  net::Network& network_;
  async::Timer timer_;
  HealthSubject subject_;
  std::shared_ptr<const net::TlsContext> tls_;
  std::vector<Target> targets_;
  std::uint64_t last_serial_ = 0;
  std::size_t running_ = 0;
  bool again_ = false;
  bool stopped_ = false;
};

HealthChecker::~HealthChecker() {
  for (auto& [name, run] : runs_) run->stop();
}

Result<> HealthChecker::set(HealthSubject subject) {
  auto& run = runs_[subject.name];
  const std::string name = subject.name;
  if (run == nullptr) run = std::make_shared<Run>(loop_, network_);
  auto done = run->set(std::move(subject));
  if (!done) remove(name);
  return done;
}

void HealthChecker::remove(std::string_view name) {
  const auto found = runs_.find(name);
  if (found == runs_.end()) return;
  found->second->stop();
  runs_.erase(found);
}

json::Value HealthChecker::report() const {
  json::Value all = json::Value::array();
  for (const auto& [name, run] : runs_) all.push_back(run->report());
  return all;
}

json::Value HealthChecker::report(std::string_view name) const {
  const auto found = runs_.find(name);
  return found == runs_.end() ? json::Value() : found->second->report();
}

}  // namespace sluice::upstream
