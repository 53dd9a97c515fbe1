// SPDX-License-Identifier: Apache-2.0
// The bench's load generator: one thread, epoll, HTTP/1.1 keep-alive, prints JSON.
//   bench_load --port P --connections 64 --seconds 5              as fast as it goes
//   bench_load --port P --rate 20000 --seconds 5                  at that rate; latency counts from the due
//   time bench_load --port P --order sequence --requests 1000 ...      each index of --count once, in order
//   bench_load --port P --hold 15000                              one request each, then held until standard
//   input ends
//   bench_load --port P --rate 5000 --until-input-ends 1          beside other work: without spinning, until
//   standard input ends
// {i} in --target, --host and --body is the index of the request (uniform over --count), {h} is i modulo
// --hosts.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "histogram.h"
#include "http_reader.h"
#include "options.h"

namespace {

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

struct Plan {
  std::uint16_t port;
  std::size_t connections, requests, count, hosts, hold;
  double seconds, rate;
  bool sequence, plain_headers, until_input_ends;
  std::string method, target, host, body;
  std::vector<std::string> headers;
};

// What a browser sends, more or less: with the request line and Host 12 headers of about 670 bytes.
constexpr const char* browser_headers =
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Cookie: session=4f1c9a6be2d04d1c8a3b7e5f60129abc; theme=dark; consent=yes\r\n"
    "Referer: https://shop.example.test/catalogue/shoes?page=3&sort=price\r\n"
    "Cache-Control: max-age=0\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "X-Request-Id: 7d0c2f4e-8a51-4f6e-9c0b-3a1d5e7f9b24\r\n";

class Requests {
 public:
  explicit Requests(const Plan& plan) : plan_(plan) {
    rest_ = plan.plain_headers ? browser_headers : "";
    for (const std::string& header : plan.headers) rest_ += header + "\r\n";
    varies_ = (plan.target + plan.host + plan.body).find('{') != std::string::npos && plan.count > 0;
    fixed_ = render(0);
  }
  const std::string& next() {
    if (!varies_) return fixed_;
    const std::size_t index = plan_.sequence ? at_++ % plan_.count : random_() % plan_.count;
    return fixed_ = render(index);
  }

 private:
  std::string render(std::size_t index) const {
    const std::string body = fill(plan_.body, index);
    std::string text = plan_.method + " " + fill(plan_.target, index) +
                       " HTTP/1.1\r\nHost: " + fill(plan_.host, index) + "\r\n" + rest_;
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + body;
  }
  std::string fill(const std::string& form, std::size_t index) const {
    std::string out;
    for (std::size_t at = 0; at < form.size(); at++) {
      if (form.compare(at, 3, "{i}") == 0) {
        out += std::to_string(index);
        at += 2;
      } else if (form.compare(at, 3, "{h}") == 0) {
        out += std::to_string(index % plan_.hosts);
        at += 2;
      } else {
        out += form[at];
      }
    }
    return out;
  }

  const Plan& plan_;
  std::string rest_, fixed_;
  bool varies_ = false;
  std::size_t at_ = 0;
  std::mt19937_64 random_{42};
};

struct Connection {
  int socket = -1;
  bool busy = false;
  std::uint64_t began = 0;
  std::string wire;
  std::size_t sent = 0;
  HttpReader reader;
};

class Load {
 public:
  explicit Load(const Plan& plan) : plan_(plan), requests_(plan) {
    connections_.resize(plan.hold > 0 ? plan.hold : plan.connections);
  }

  int run() {
    if (plan_.hold > 0) return hold();
    for (Connection& connection : connections_) open(connection);
    began_ = now_ns();
    end_ = began_ + static_cast<std::uint64_t>(plan_.seconds * 1e9);
    for (Connection& connection : connections_) free_.push_back(&connection);
    while (!finished()) {
      start_due();
      pump(timeout());
    }
    print();
    return 0;
  }

 private:
  bool finished() {
    const bool time_is_up =
        plan_.until_input_ends ? input_ended() : plan_.requests == 0 && now_ns() >= end_;
    const bool all_sent =
        plan_.requests > 0 && started_ >= plan_.requests && free_.size() == connections_.size();
    return time_is_up || all_sent || errors_ > 1000;
  }
  bool input_ended() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    return poll(&input, 1, 0) == 1 && read(STDIN_FILENO, buffer_, sizeof buffer_) <= 0;
  }
  // Without a rate every free connection asks at once; with one, as many as are due.
  void start_due() {
    while (!free_.empty() && (plan_.requests == 0 || started_ < plan_.requests)) {
      std::uint64_t due = now_ns();
      if (plan_.rate > 0) {
        const auto scheduled =
            began_ + static_cast<std::uint64_t>(static_cast<double>(started_) * 1e9 / plan_.rate);
        if (scheduled > due) return;
        due = scheduled;
      }
      Connection& connection = *free_.back();
      free_.pop_back();
      start(connection, due);
    }
  }
  int timeout() const {
    if (plan_.until_input_ends) return 1;
    return plan_.rate > 0 && !free_.empty() ? 0 : 10;
  }

  void open(Connection& connection) {
    connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(plan_.port);
    if (connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      Options::fail("bench_load cannot connect to port " + std::to_string(plan_.port) + ", errno " +
                    std::to_string(errno));
    const int on = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
  }
  void start(Connection& connection, std::uint64_t due) {
    started_++;
    connection.began = due;
    connection.busy = true;
    connection.wire = requests_.next();
    connection.sent = 0;
    connection.reader.next(plan_.method == "HEAD");
    send_more(connection);
  }
  void send_more(Connection& connection) {
    while (connection.sent < connection.wire.size()) {
      const ssize_t sent = send(connection.socket, connection.wire.data() + connection.sent,
                                connection.wire.size() - connection.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return;
      connection.sent += static_cast<std::size_t>(sent);
    }
  }
  void pump(int milliseconds) {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, milliseconds);
    for (int at = 0; at < count; at++) {
      Connection& connection = *static_cast<Connection*>(events[at].data.ptr);
      if (connection.busy && connection.sent < connection.wire.size()) send_more(connection);
      receive(connection);
    }
  }
  void receive(Connection& connection) {
    for (;;) {
      const ssize_t got = recv(connection.socket, buffer_, sizeof buffer_, MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return reopen(connection);
      bytes_ += static_cast<std::uint64_t>(got);
      if (connection.busy) connection.reader.take(buffer_, static_cast<std::size_t>(got));
      if (connection.busy && connection.reader.done()) {
        finish(connection);
        return;
      }
      if (static_cast<std::size_t>(got) < sizeof buffer_) return;
    }
  }
  void finish(Connection& connection) {
    latencies_.add(now_ns() - connection.began);
    statuses_[connection.reader.status()]++;
    connection.busy = false;
    if (connection.reader.closes()) {
      closed_++;
      close(connection.socket);
      open(connection);
    }
    free_.push_back(&connection);
  }
  void reopen(Connection& connection) {
    close(connection.socket);
    closed_++;
    if (connection.busy) errors_++;
    const bool was_busy = connection.busy;
    connection.busy = false;
    open(connection);
    if (was_busy) free_.push_back(&connection);
  }
  // One request on each connection, one after the other; what the other side closes is counted.
  int hold() {
    for (Connection& connection : connections_) {
      open(connection);
      start(connection, now_ns());
      while (connection.busy && errors_ == 0) pump(1000);
      free_.clear();
      if (errors_ > 0) break;
    }
    print();
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    char buffer[64];
    while (poll(&input, 1, -1) >= 0 && read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
    }
    return 0;
  }
  void print() const {
    const double seconds = static_cast<double>(now_ns() - began_) / 1e9;
    std::string statuses;
    for (const auto& [status, count] : statuses_)
      statuses +=
          (statuses.empty() ? "\"" : ", \"") + std::to_string(status) + "\": " + std::to_string(count);
    const auto us = [this](double share) { return static_cast<double>(latencies_.at(share)) / 1e3; };
    std::printf(
        "{\"requests\": %llu, \"seconds\": %.4f, \"errors\": %llu, \"closed\": %llu, \"bytes\": %llu, "
        "\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, "
        "\"statuses\": {%s}}\n",
        static_cast<unsigned long long>(latencies_.count()), seconds,
        static_cast<unsigned long long>(errors_), static_cast<unsigned long long>(closed_),
        static_cast<unsigned long long>(bytes_), us(0.5), us(0.9), us(0.99), us(0.999),
        static_cast<double>(latencies_.max()) / 1e3, statuses.c_str());
    std::fflush(stdout);
  }

  const Plan& plan_;
  Requests requests_;
  std::vector<Connection> connections_;
  std::vector<Connection*> free_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::uint64_t began_ = now_ns(), end_ = 0, started_ = 0, errors_ = 0, closed_ = 0, bytes_ = 0;
  Histogram latencies_;
  std::map<int, std::uint64_t> statuses_;
  char buffer_[262144];
};

Plan read_plan(Options& options) {
  Plan plan;
  plan.port = static_cast<std::uint16_t>(options.number("port", 0));
  plan.connections = static_cast<std::size_t>(options.number("connections", 64));
  plan.requests = static_cast<std::size_t>(options.number("requests", 0));
  plan.count = static_cast<std::size_t>(options.number("count", 1));
  plan.hosts = static_cast<std::size_t>(options.number("hosts", 1));
  plan.hold = static_cast<std::size_t>(options.number("hold", 0));
  plan.seconds = options.real("seconds", 5);
  plan.rate = options.real("rate", 0);
  plan.sequence = options.text("order", "random") == "sequence";
  plan.plain_headers = options.text("headers", "browser") == "browser";
  plan.until_input_ends = options.number("until-input-ends", 0) != 0;
  plan.method = options.text("method", "GET");
  plan.target = options.text("target", "/");
  plan.host = options.text("host", "localhost");
  plan.body = options.text("body", "");
  if (const auto size = options.number("body-size", 0); size > 0)
    plan.body.assign(static_cast<std::size_t>(size), 'x');
  plan.headers = options.list("header");
  options.nothing_left();
  if (plan.port == 0 || plan.connections == 0 || plan.count == 0 || plan.hosts == 0)
    Options::fail("--port, --connections, --count and --hosts are numbers from 1");
  return plan;
}

}  // namespace

int main(int count, char** words) {
  Options options(count, words);
  const Plan plan = read_plan(options);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return std::make_unique<Load>(plan)->run();
}
