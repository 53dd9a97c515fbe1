// SPDX-License-Identifier: Apache-2.0
#include "plugin/redis.h"

#include <algorithm>

#include "base/bounded.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"

namespace sluice::plugin {
namespace {

constexpr int hops_max = 5;  // of one question, to servers that send it elsewhere
constexpr auto pause_before_asking_again = std::chrono::milliseconds(50);
constexpr std::size_t sending_max = 1024;

std::unexpected<Error> refused(const RedisValue& reply) {
  return fail(ErrorKind::protocol, "Redis answered: " + reply.text, Fault::peer);
}

// "MOVED 3999 127.0.0.1:6381": where to.
std::string_view target_of(std::string_view text) {
  const std::size_t last = text.rfind(' ');
  return last == std::string_view::npos ? std::string_view() : text.substr(last + 1);
}

// The server is no longer, or not yet, the one to ask.
bool has_failed_over(std::string_view error) {
  return error.starts_with("READONLY") || error.starts_with("LOADING") || error.starts_with("MASTERDOWN") ||
         error.starts_with("CLUSTERDOWN");
}

}  // namespace

RedisScript::RedisScript(std::string_view text) : text_(text) {
  append_hex(digest_of(Digest::sha1, text_), digest_);
}

void Redis::set_up(const RedisConfig& config) {
  config_ = config;
  is_set_up_ = true;
}

std::unique_ptr<Redis::Link> Redis::take(const std::string& server) {
  auto& kept = idle_[server];
  const Instant oldest = worker_.loop.now() - bounded_milliseconds(config_.keepalive_timeout);
  while (!kept.empty()) {
    auto link = std::move(kept.back());
    kept.pop_back();
    if (link->idle_since >= oldest && link->stream->idle_and_whole()) return link;
  }
  return nullptr;
}

void Redis::give(const std::string& server, std::unique_ptr<Link> link) {
  auto& kept = idle_[server];
  if (!link->replies.empty() || kept.size() >= config_.keepalive_pool) return;
  link->idle_since = worker_.loop.now();
  kept.push_back(std::move(link));
}

async::Task<Result<std::unique_ptr<Redis::Link>>> Redis::connect(std::string server, std::string user,
                                                                 std::string password, Instant deadline) {
  const auto parts = split_host_port(server);
  if (!parts || !parts->port)
    co_return fail(ErrorKind::system, "'" + server + "' is no host:port of a Redis server");
  ConnectTo to;
  to.host = parts->host;
  to.port = *parts->port;
  to.tls = is_cluster() ? config_.cluster_ssl : config_.ssl;
  to.verify = is_cluster() ? config_.cluster_ssl_verify : config_.ssl_verify;
  to.deadline = deadline;
  auto connecting = worker_.connect(std::move(to));
  auto stream = co_await connecting;
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  auto link = std::make_unique<Link>();
  link->stream = std::move(*stream);
  if (!password.empty()) {
    RedisCommand command{"AUTH"};
    if (!user.empty()) command.push_back(user);
    command.push_back(password);
    auto logging_in = exchange(*link, command, deadline);
    const auto reply = co_await logging_in;
    if (!reply) co_return std::unexpected(reply.error());
    if (reply->is_error()) co_return refused(*reply);
  }
  co_return link;
}

async::Task<Result<std::unique_ptr<Redis::Link>>> Redis::open(std::string server, Instant deadline) {
  auto connecting = connect(std::move(server), config_.username, config_.password, deadline);
  auto link = co_await connecting;
  if (!link || config_.database == 0 || is_cluster()) co_return link;
  const RedisCommand command{"SELECT", std::to_string(config_.database)};
  auto selecting = exchange(**link, command, deadline);
  const auto reply = co_await selecting;
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->is_error()) co_return refused(*reply);
  co_return link;
}

// Errors before anything came back may be tried again on another connection.
async::Task<Result<RedisValue>> Redis::exchange(Link& link, const RedisCommand& command, Instant deadline) {
  std::string text;
  append_command(text, command);
  auto writing = link.stream->write(text, deadline - worker_.loop.now());
  const ssize_t written = co_await writing;
  if (written < 0)
    co_return std::unexpected(Error{written == -ETIMEDOUT ? ErrorKind::timeout : ErrorKind::reset,
                                    Fault::peer, system_message("write to Redis", static_cast<int>(-written)),
                                    true});
  bool first = true;
  for (;;) {
    auto reply = link.replies.next();
    if (!reply) co_return std::unexpected(std::move(reply.error()));
    if (*reply) co_return std::move(**reply);
    std::array<char, 4096> bytes;
    auto reading = link.stream->read(bytes.data(), bytes.size(), deadline);
    const ssize_t count = co_await reading;
    if (count == -ETIMEDOUT) co_return fail(ErrorKind::timeout, "Redis did not answer in time", Fault::peer);
    if (count <= 0)
      co_return std::unexpected(Error{ErrorKind::closed, Fault::peer, "Redis ended the connection", first});
    link.replies.feed({bytes.data(), static_cast<std::size_t>(count)});
    first = false;
  }
}

async::Task<Result<RedisValue>> Redis::ask_at(std::string server, const RedisCommand& command, bool asking,
                                              Instant deadline) {
  for (;;) {
    auto link = take(server);
    const bool reused = link != nullptr;
    if (!reused) {
      auto opening = open(server, deadline);
      auto opened = co_await opening;
      if (!opened) co_return std::unexpected(std::move(opened.error()));
      link = std::move(*opened);
    }
    if (asking) {
      const RedisCommand word{"ASKING"};
      auto announcing = exchange(*link, word, deadline);
      const auto allowed = co_await announcing;
      if (!allowed) co_return std::unexpected(allowed.error());
    }
    auto exchanging = exchange(*link, command, deadline);
    auto reply = co_await exchanging;
    if (!reply && reused && reply.error().may_retry) continue;  // it had ended while it was idle
    if (reply) give(server, std::move(link));
    co_return reply;
  }
}

// The first sentinel that knows the master.
async::Task<Result<std::string>> Redis::find_master(Instant deadline) {
  Error last{ErrorKind::not_found, Fault::peer, "no sentinel knows " + config_.master_name, false};
  const RedisCommand question{"SENTINEL", "get-master-addr-by-name", config_.master_name};
  for (const SentinelAddress& sentinel : config_.sentinels) {
    const bool v6 = sentinel.host.find(':') != std::string::npos;
    const std::string server =
        (v6 ? "[" + sentinel.host + "]" : sentinel.host) + ":" + std::to_string(sentinel.port);
    auto connecting = connect(server, config_.sentinel_username, config_.sentinel_password, deadline);
    auto link = co_await connecting;
    if (!link) {
      last = std::move(link.error());
      continue;
    }
    auto asking = exchange(**link, question, deadline);
    const auto reply = co_await asking;
    if (!reply) last = reply.error();
    else if (reply->items.size() == 2) co_return reply->items[0].text + ":" + reply->items[1].text;
  }
  co_return std::unexpected(std::move(last));
}

void Redis::take_slots(const RedisValue& reply, const std::string& asked) {
  servers_.clear();
  owners_.assign(slots, UINT16_MAX);
  for (const RedisValue& range : reply.items) {
    if (range.items.size() < 3 || range.items[2].items.size() < 2) continue;
    const RedisValue& node = range.items[2];
    const std::string host =
        node.items[0].text.empty() ? asked.substr(0, asked.rfind(':')) : node.items[0].text;
    const std::string server = host + ":" + std::to_string(node.items[1].number);
    auto found = std::ranges::find(servers_, server);
    if (found == servers_.end()) found = servers_.insert(servers_.end(), server);
    const auto first = std::max<std::int64_t>(range.items[0].number, 0);
    const auto last = std::min<std::int64_t>(range.items[1].number, slots - 1);
    for (auto slot = first; slot <= last; ++slot)
      owners_[static_cast<std::size_t>(slot)] = static_cast<std::uint16_t>(found - servers_.begin());
  }
}

async::Task<Result<>> Redis::learn_slots(Instant deadline) {
  std::vector<std::string> known = config_.cluster_nodes;
  known.insert(known.end(), servers_.begin(), servers_.end());
  Error last{ErrorKind::not_found, Fault::peer, "no node of the cluster answers", false};
  const RedisCommand question{"CLUSTER", "SLOTS"};
  for (const std::string& server : known) {
    auto asking = ask_at(server, question, false, deadline);
    const auto reply = co_await asking;
    if (reply && reply->kind == RedisValue::Kind::list && !reply->items.empty()) {
      take_slots(*reply, server);
      co_return Result<>();
    }
    last = reply ? refused(*reply).error() : reply.error();
  }
  co_return std::unexpected(std::move(last));
}

async::Task<Result<std::string>> Redis::find_server(std::string_view key, Instant deadline) {
  switch (config_.policy) {
    case Policy::redis_sentinel: {
      if (!master_.empty()) co_return master_;
      auto finding = find_master(deadline);
      auto found = co_await finding;
      if (found) master_ = *found;
      co_return found;
    }
    case Policy::redis_cluster: {
      const std::uint16_t slot = redis_slot(key);
      if (owners_.empty()) {
        auto learning = learn_slots(deadline);
        auto learnt = co_await learning;
        if (!learnt) co_return std::unexpected(std::move(learnt.error()));
      }
      const std::uint16_t owner = owners_[slot];
      if (owner < servers_.size()) co_return servers_[owner];
      owners_.clear();
      co_return fail(ErrorKind::not_found, "no node of the cluster has slot " + std::to_string(slot),
                     Fault::peer);
    }
    default: break;
  }
  const bool v6 = config_.host.find(':') != std::string::npos && !config_.host.starts_with('[');
  co_return (v6 ? "[" + config_.host + "]" : config_.host) + ":" + std::to_string(config_.port);
}

async::Task<Result<RedisValue>> Redis::ask_in_time(std::string key, RedisCommand command, Instant deadline) {
  std::string elsewhere, last;
  bool asking = false;
  for (int hop = 0; hop < hops_max; ++hop) {
    if (elsewhere.empty()) {
      auto finding = find_server(key, deadline);
      auto found = co_await finding;
      if (!found) co_return std::unexpected(std::move(found.error()));
      elsewhere = std::move(*found);
    }
    auto questioning = ask_at(elsewhere, command, asking, deadline);
    auto reply = co_await questioning;
    asking = false;
    elsewhere.clear();
    if (!reply) {
      const bool down = reply.error().kind == ErrorKind::refused || reply.error().may_retry;
      master_.clear();  // whoever comes next asks who serves now
      owners_.clear();
      if (!down || hop > 0 || config_.policy == Policy::redis) co_return reply;
    } else if (!reply->is_error()) {
      co_return reply;
    } else if (reply->text.starts_with("MOVED ")) {
      elsewhere = target_of(reply->text);
      owners_.clear();
    } else if (reply->text.starts_with("ASK ")) {
      elsewhere = target_of(reply->text);
      asking = true;
    } else if (has_failed_over(reply->text)) {
      master_.clear();
      owners_.clear();
      // Nobody serves until the others have noticed; that may well be in time.
      if (worker_.loop.now() + pause_before_asking_again >= deadline) co_return reply;
      auto sleeping = worker_.loop.sleep(pause_before_asking_again);
      co_await sleeping;
      --hop;
    } else {
      co_return reply;
    }
    if (reply) last = reply->text;
  }
  co_return fail(ErrorKind::protocol, "Redis has no server that takes the question; the last said: " + last,
                 Fault::peer);
}

async::Task<Result<RedisValue>> Redis::ask(std::string key, RedisCommand command) {
  const auto patience = config_.policy == Policy::redis_sentinel
                            ? config_.connect_timeout + config_.read_timeout
                            : config_.timeout;
  const Instant deadline = worker_.loop.now() + bounded_milliseconds(patience);
  auto asking = ask_in_time(std::move(key), std::move(command), deadline);
  auto reply = co_await asking;
  if (reply && reply->is_error() && !reply->text.starts_with("NOSCRIPT")) co_return refused(*reply);
  co_return reply;
}

async::Task<Result<RedisValue>> Redis::run(const RedisScript& script, std::string key,
                                           std::vector<std::string> arguments) {
  RedisCommand command{"EVALSHA", script.digest(), "1", key};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto asking = ask(key, command);
  auto reply = co_await asking;
  if (!reply || !reply->is_error()) co_return reply;
  command[0] = "EVAL";
  command[1] = script.text();
  auto again = ask(std::move(key), std::move(command));
  reply = co_await again;
  co_return reply;
}

async::Task<> Redis::run_unawaited(const RedisScript& script, std::string key,
                                   std::vector<std::string> arguments) {
  auto running = run(script, std::move(key), std::move(arguments));
  const auto reply = co_await running;
  if (!reply) log::warn("{}", reply.error().what);
}

void Redis::send(const RedisScript& script, std::string key, std::vector<std::string> arguments) {
  std::erase_if(sending_, [](const auto& child) { return child->ended(); });
  if (sending_.size() >= sending_max) {
    if (worker_.loop.now() - told_ < std::chrono::seconds(1)) return;
    told_ = worker_.loop.now();
    log::error("Redis is too slow: what requests held is not let go; it expires there by itself");
    return;
  }
  sending_.push_back(std::make_unique<async::Child>());
  sending_.back()->start(run_unawaited(script, std::move(key), std::move(arguments)));
}

}  // namespace sluice::plugin
