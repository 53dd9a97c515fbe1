// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_client.h"

#include <fmt/core.h>

#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "json/text.h"

namespace sluice::store {
namespace {

using json::Value;

constexpr std::size_t answer_max = 64u << 20;
constexpr std::size_t line_max = 64u << 20;

// The next member may do what this one did not.
bool worth_another(const Error& error, EtcdClient::Again again) {
  if (error.may_retry) return true;
  if (again == EtcdClient::Again::harmful) return false;
  return error.kind == ErrorKind::closed || error.kind == ErrorKind::reset ||
         error.kind == ErrorKind::timeout || error.kind == ErrorKind::refused ||
         error.kind == ErrorKind::tls || error.kind == ErrorKind::resolve;
}

Error error_of(const etcd::Refusal& refusal) {
  Error error{ErrorKind::system, Fault::peer, refusal.what, false};
  if (refusal.elsewhere()) error.kind = ErrorKind::closed;
  if (refusal.what.find("compacted") != refusal.what.npos) error.kind = ErrorKind::not_found;
  if (refusal.what.find("too many operations") != refusal.what.npos) {
    error.kind = ErrorKind::limit;
    error.what += " (etcd's flag --max-txn-ops raises the limit, 128 by default)";
  }
  if (refusal.what.find("request is too large") != refusal.what.npos) {
    error.kind = ErrorKind::limit;
    error.what += " (etcd's flag --max-request-bytes raises the limit, 1.5 MiB by default)";
  }
  return error;
}

}  // namespace

std::optional<EtcdOptions::Member> parse_member(std::string_view url) {
  EtcdOptions::Member member;
  if (url.starts_with("https://")) member.secure = true, url.remove_prefix(8);
  else if (url.starts_with("http://")) url.remove_prefix(7);
  else return std::nullopt;
  if (url.ends_with('/')) url.remove_suffix(1);
  const auto parts = split_host_port(url);
  if (!parts || parts->host.empty() || url.find_first_of("/@?# ") != url.npos) return std::nullopt;
  member.host = parts->host;
  member.port = parts->port.value_or(2379);
  member.authority = url;
  return member;
}

EtcdClient::EtcdClient(async::Loop& loop, net::Network& network, const EtcdOptions& options,
                       http::Client::Resolve resolve)
    : loop_(loop), options_(options) {
  for (const auto& member : options_.members) {
    http::Client::Server server{member.host, member.port, member.authority,
                                member.secure ? options_.tls : nullptr, options_.server_name};
    members_.emplace_back(new Member{.client = {loop, network, std::move(server), resolve}});
  }
  SLUICE_CHECK(!members_.empty());
  current_ = thread_random().below(members_.size());  // the nodes of a fleet spread out
}

EtcdClient::~EtcdClient() = default;

// Stays with a member while it works.
void EtcdClient::choose() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t member = (current_ + i) % members_.size();
    if (members_[member]->rests_until > loop_.now()) continue;
    current_ = member;
    return;
  }
}

void EtcdClient::failed(std::size_t member, const Error& error) {
  Member& it = *members_[member];
  if (!std::exchange(it.down, true)) log::warn("etcd {}: {}", it.client.server().authority, error.what);
  it.rests_until = after(loop_.now(), options_.rest);
  if (member == current_) current_ = (current_ + 1) % members_.size();
}

void EtcdClient::avoid_current() {
  members_[current_]->rests_until = after(loop_.now(), options_.rest);
  current_ = (current_ + 1) % members_.size();
}

EtcdClient::Question EtcdClient::question(std::string path, std::string body, Instant deadline,
                                          Again again) const {
  Question question;
  question.target = std::move(path);
  question.body = std::move(body);
  question.headers.emplace_back("Content-Type", "application/json");
  if (!token_.empty()) question.headers.emplace_back("Authorization", token_);
  question.deadline = deadline;
  question.answer_max = answer_max;
  question.repeatable = again == Again::safe;
  return question;
}

// Asks the current member once.
async::Task<Result<std::string>> EtcdClient::ask(std::string path, std::string body, Instant deadline,
                                                 Again again) {
  auto asked = question(std::move(path), std::move(body), deadline, again);
  auto answer = co_await members_[current_]->client.ask(std::move(asked));
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status < 400) co_return std::move(answer->body);
  const auto parsed = json::parse(answer->body);
  const auto refusal = etcd::refusal_of(answer->status, parsed ? *parsed : Value());
  Error error = error_of(*refusal);
  error.may_retry = refusal->token_is_bad() && !options_.user.empty();
  if (error.may_retry) token_.clear();
  co_return std::unexpected(std::move(error));
}

async::Task<Result<>> EtcdClient::authenticate(Instant deadline) {
  if (options_.user.empty() || !token_.empty()) co_return Result<>();
  const Value login = Value::object({{"name", options_.user}, {"password", options_.password}});
  auto answer = co_await ask("/v3/auth/authenticate", json::dump(login), deadline, Again::safe);
  if (!answer) {
    Error error = answer.error();
    error.what = fmt::format("user {}: {}", options_.user, error.what);
    error.may_retry = error.kind != ErrorKind::system;  // a wrong password is wrong everywhere
    co_return std::unexpected(std::move(error));
  }
  token_ = json::parse(*answer).value_or(Value()).text("token");
  if (token_.empty()) co_return fail(ErrorKind::protocol, "authentication gave no token", Fault::peer);
  co_return Result<>();
}

async::Task<Result<Value>> EtcdClient::call(std::string path, Value question, Again again) {
  auto answer = co_await fetch(std::move(path), std::move(question), again);
  if (!answer) co_return std::unexpected(answer.error());
  auto parsed = etcd::parse_answer(*answer);
  if (!parsed) failed(current_, parsed.error());
  co_return parsed;
}

async::Task<Result<etcd::RangeAnswer>> EtcdClient::range(etcd::RangeQuestion question) {
  auto answer = co_await call("/v3/kv/range", etcd::to_value(question), Again::safe);
  if (!answer) co_return std::unexpected(answer.error());
  co_return etcd::read_range(*answer);
}

async::Task<Result<std::string>> EtcdClient::fetch(std::string path, Value question, Again again) {
  const std::string body = json::dump(question);
  const Instant deadline = after(loop_.now(), options_.timeout);
  Error last;
  bool renewed = false;  // the token, once
  for (std::size_t left = members_.size(); left > 0 && loop_.now() < deadline;) {
    choose();
    const std::size_t member = current_;
    const bool had_token = !token_.empty();
    // Of the time that is left each try has its share, so that a silent member does not take all of it.
    const Instant until = after(loop_.now(), (deadline - loop_.now()) / static_cast<std::int64_t>(left));
    auto ready = co_await authenticate(until);
    Result<std::string> answer;
    if (!ready) {
      answer = std::unexpected(ready.error());
    } else {
      auto asked = co_await ask(path, body, until, again);
      answer = std::move(asked);
    }
    if (answer) {
      members_[member]->down = false;
      co_return answer;
    }
    last = std::move(answer.error());
    if (had_token && token_.empty() && !std::exchange(renewed, true)) continue;
    const bool it_answered = last.kind == ErrorKind::system || last.kind == ErrorKind::limit ||
                             last.kind == ErrorKind::not_found;
    if (!it_answered) failed(member, last);
    if (!worth_another(last, again)) break;
    --left;
  }
  co_return std::unexpected(std::move(last));
}

async::Task<Result<std::unique_ptr<EtcdClient::Watching>>> EtcdClient::watch(etcd::KeyRange keys,
                                                                             Revision from) {
  choose();
  const Instant deadline = after(loop_.now(), options_.timeout / static_cast<int>(members_.size()));
  auto ready = co_await authenticate(deadline);
  if (!ready) co_return std::unexpected(ready.error());
  auto asked = question("/v3/watch", json::dump(etcd::watch_question(keys, from)), deadline, Again::safe);
  // A member that is cut off from the others ends the watch instead of being silent.
  asked.headers.emplace_back("Grpc-Metadata-Hasleader", "true");
  auto stream = co_await members_[current_]->client.open(std::move(asked), options_.watch_timeout);
  if (!stream) co_return std::unexpected(stream.error());
  co_return std::make_unique<Watching>(std::move(*stream));
}

EtcdClient::Watching::Watching(std::unique_ptr<http::Client::Streamed> stream)
    : stream_(std::move(stream)), lines_(line_max) {}

async::Task<Result<std::vector<etcd::WatchAnswer>>> EtcdClient::Watching::next() {
  std::vector<etcd::WatchAnswer> answers;
  while (answers.empty()) {
    auto piece = co_await stream_->next();
    if (!piece) co_return std::unexpected(piece.error());
    // A refusal may end without an end of line.
    const bool ended = piece->empty();
    if (ended && lines_.rest().empty())
      co_return fail(ErrorKind::closed, "the watch was closed", Fault::peer);
    if (!lines_.add(ended ? "\n" : *piece))
      co_return fail(ErrorKind::limit, fmt::format("a watch's line has more than {} bytes", line_max));
    while (const auto line = lines_.next()) {
      if (line->empty()) continue;
      auto answer = etcd::read_watch(*line);
      if (!answer) co_return std::unexpected(answer.error());
      answers.push_back(std::move(*answer));
    }
  }
  co_return answers;
}

}  // namespace sluice::store
