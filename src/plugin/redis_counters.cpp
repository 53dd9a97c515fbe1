// SPDX-License-Identifier: Apache-2.0
#include "plugin/redis_counters.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::plugin {
namespace {

// Returns whether the request is admitted, how many more are, and the milliseconds until the window is over.
const RedisScript& fixed_window() {
  static const RedisScript script(R"(
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = redis.call('pttl', KEYS[1])
if left < 0 then
  redis.call('set', KEYS[1], 1, 'px', window)
  return {1, limit - 1, window}
end
if tonumber(redis.call('get', KEYS[1])) >= limit then return {0, 0, left} end
return {1, limit - redis.call('incr', KEYS[1]), left})");
  return script;
}

// What every script with a clock begins with: milliseconds, as the server has them.
#define SLUICE_REDIS_NOW                                                     \
  "if redis.replicate_commands then redis.replicate_commands() end\n"        \
  "local time = redis.call('time')\n"                                        \
  "local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)\n"

const RedisScript& sliding_window() {
  static const RedisScript script(SLUICE_REDIS_NOW R"(
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local start = now - now % window
local state = redis.call('hmget', KEYS[1], 'start', 'count', 'previous')
local at, count, previous = tonumber(state[1] or -1), tonumber(state[2] or 0), tonumber(state[3] or 0)
if at ~= start then
  previous = at == start - window and count or 0
  count = 0
end
local left = start + window - now
local carried = math.min(previous, limit) * left / window
if count + carried + 1 > limit then return {0, 0, left} end
count = count + 1
redis.call('hset', KEYS[1], 'start', start, 'count', count, 'previous', previous)
redis.call('pexpire', KEYS[1], 2 * window)
return {1, math.floor(math.max(limit - count - carried, 0)), left})");
  return script;
}

// Returns whether the request is admitted, and how many are in the bucket before it, as text.
const RedisScript& bucket() {
  static const RedisScript script(SLUICE_REDIS_NOW R"(
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local state = redis.call('hmget', KEYS[1], 'excess', 'last')
local excess = 0
if state[1] and state[2] then
  excess = math.max(tonumber(state[1]) - rate * math.max(now - tonumber(state[2]), 0) / 1000 + 1, 0)
end
if excess > burst then return {0, tostring(excess)} end
redis.call('hset', KEYS[1], 'excess', tostring(excess), 'last', now)
redis.call('pexpire', KEYS[1], math.ceil((excess + 1) / rate * 1000) + 1000)
return {1, tostring(excess)})");
  return script;
}

// Returns whether the request is admitted, and how many are under way with it.
const RedisScript& entering() {
  static const RedisScript script(SLUICE_REDIS_NOW R"(
local most, life = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('zremrangebyscore', KEYS[1], 0, now)
local count = redis.call('zcard', KEYS[1])
if count >= most then return {0, count} end
redis.call('zadd', KEYS[1], now + life, ARGV[3])
redis.call('pexpire', KEYS[1], life)
return {1, count + 1})");
  return script;
}

const RedisScript& leaving() {
  static const RedisScript script("return redis.call('zrem', KEYS[1], ARGV[1])");
  return script;
}

#undef SLUICE_REDIS_NOW

Result<RedisValue> with_items(Result<RedisValue> reply, std::size_t count) {
  if (!reply || reply->items.size() == count) return reply;
  return fail(ErrorKind::protocol, "Redis answered a script with something else", Fault::peer);
}

WindowCounters::Taken taken_of(const RedisValue& reply) {
  using Outcome = WindowCounters::Outcome;
  return {reply.items[0].number == 1 ? Outcome::admitted : Outcome::rejected,
          static_cast<std::uint64_t>(std::max<std::int64_t>(reply.items[1].number, 0)),
          std::chrono::milliseconds(std::max<std::int64_t>(reply.items[2].number, 0))};
}

async::Task<Result<WindowCounters::Taken>> take(Redis& redis, const RedisScript& script, std::string key,
                                                std::int64_t limit, std::int64_t seconds) {
  constexpr std::int64_t seconds_max = 1'000'000'000;
  std::vector<std::string> arguments{std::to_string(limit),
                                     std::to_string(std::min(seconds, seconds_max) * 1000)};
  auto running = redis.run(script, std::move(key), std::move(arguments));
  auto answered = co_await running;
  const auto reply = with_items(std::move(answered), 3);
  if (!reply) co_return std::unexpected(reply.error());
  co_return taken_of(*reply);
}

std::string text_of(double number) {
  std::string text;
  append_number(text, number);
  return text;
}

}  // namespace

async::Task<Result<WindowCounters::Taken>> take_fixed(Redis& redis, std::string key, std::int64_t limit,
                                                      std::int64_t seconds) {
  return take(redis, fixed_window(), std::move(key), limit, seconds);
}

async::Task<Result<WindowCounters::Taken>> take_sliding(Redis& redis, std::string key, std::int64_t limit,
                                                        std::int64_t seconds) {
  return take(redis, sliding_window(), std::move(key), limit, seconds);
}

async::Task<Result<LeakyBuckets::Taken>> take_from_bucket(Redis& redis, std::string key, double rate,
                                                          double burst) {
  std::vector<std::string> arguments{text_of(rate), text_of(burst)};
  auto running = redis.run(bucket(), std::move(key), std::move(arguments));
  auto answered = co_await running;
  const auto reply = with_items(std::move(answered), 2);
  if (!reply) co_return std::unexpected(reply.error());
  if (reply->items[0].number != 1) co_return LeakyBuckets::Taken{LeakyBuckets::Outcome::rejected, {}};
  constexpr double nanoseconds = 1e9, longest = 1e18;
  const double wait = std::min(reply->items[1].as_number() / rate * nanoseconds, longest);
  co_return LeakyBuckets::Taken{LeakyBuckets::Outcome::admitted, Duration(static_cast<std::int64_t>(wait))};
}

async::Task<Result<ConcurrencyCounters::Entered>> enter(Redis& redis, std::string key, std::string member,
                                                        std::int64_t most, std::int64_t seconds) {
  std::vector<std::string> arguments{std::to_string(most), std::to_string(seconds * 1000), std::move(member)};
  auto running = redis.run(entering(), std::move(key), std::move(arguments));
  auto answered = co_await running;
  const auto reply = with_items(std::move(answered), 2);
  if (!reply) co_return std::unexpected(reply.error());
  using Outcome = ConcurrencyCounters::Outcome;
  co_return ConcurrencyCounters::Entered{reply->items[0].number == 1 ? Outcome::admitted : Outcome::rejected,
                                         static_cast<std::uint64_t>(reply->items[1].number), {}};
}

void leave(Redis& redis, std::string key, std::string member) {
  redis.send(leaving(), std::move(key), {std::move(member)});
}

}  // namespace sluice::plugin
