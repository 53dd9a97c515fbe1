// SPDX-License-Identifier: Apache-2.0
#include "admin/history.h"

#include <fmt/core.h>

#include <algorithm>

#include "admin/revision_text.h"
#include "base/text.h"
#include "json/text.h"
#include "model/resources.h"

namespace sluice::admin {
namespace {

using json::Value;
using store::HistoryQuestion;
using store::Record;
using store::Revision;

constexpr std::size_t list_default = 100, list_max = 1000;
constexpr std::size_t changes_told_max = 20;  // of one revision, in a list
constexpr std::size_t bytes_max = std::size_t{64} << 20;

// Whether a key is what `name` names: a kind, one resource, or what belongs to it.
bool is_named(std::string_view key, std::string_view name) {
  if (name.empty()) return true;
  const auto own = resource_name(key);
  return own.starts_with(name) && (own.size() == name.size() || own[name.size()] == '/');
}

http::Reply bad_argument(std::string_view name, std::string_view what) {
  return error_reply(400, fmt::format("invalid argument {}: {}", name, what));
}

// What a list of revisions is asked for.
struct Wanted {
  HistoryQuestion question{.values = HistoryQuestion::Values::left_out};
  std::string name, author;
  std::int64_t from_ms = 0, to_ms = std::numeric_limits<std::int64_t>::max();
  std::size_t limit = list_default;

  bool has(const Record& record) const {
    return is_named(record.key, name) && (author.empty() || record.author.name == author) &&
           record.at_ms >= from_ms && record.at_ms <= to_ms;
  }
};

// A bound: a revision or a time.
std::optional<http::Reply> read_bound(const Call& call, std::string_view name, Revision& revision,
                                      std::int64_t& at_ms) {
  const auto* given = call.arguments.find(name);
  if (!given) return std::nullopt;
  if (auto number = parse_revision(*given)) {
    revision = *number;
  } else if (auto time = parse_time(*given)) {
    at_ms = *time;
  } else {
    return bad_argument(name, "write a revision, as 42, or a time, as 2026-01-31T23:59:59Z");
  }
  return std::nullopt;
}

std::optional<http::Reply> read_wanted(const Call& call, Wanted& wanted) {
  if (auto refusal = read_resource_name(call, wanted.name)) return refusal;
  wanted.question.prefix = key_of_name(wanted.name);
  if (const auto* author = call.arguments.find("author")) wanted.author = *author;
  Revision from = 1, to = std::numeric_limits<Revision>::max() - 1;
  if (auto refusal = read_bound(call, "from", from, wanted.from_ms)) return refusal;
  if (auto refusal = read_bound(call, "to", to, wanted.to_ms)) return refusal;
  wanted.question.since = std::max<Revision>(from, 1) - 1;
  wanted.question.before = {to + 1, 0};
  if (const auto* limit = call.arguments.find("limit")) {
    auto number = parse_unsigned(*limit);
    if (!number || *number < 1 || *number > list_max)
      return bad_argument("limit", fmt::format("must be a number from 1 to {}", list_max));
    wanted.limit = static_cast<std::size_t>(*number);
  }
  return std::nullopt;
}

Value header_of(const Record& record) {
  auto header = Value::object({{"revision", record.revision},
                               {"time", time_text(record.at_ms)},
                               {"author", record.author.name}});
  if (!record.author.address.empty()) header.set("address", record.author.address);
  if (!record.note.empty()) header.set("note", record.note);
  return header;
}

// Records put together to revisions, the latest first.
class Listing {
 public:
  explicit Listing(std::size_t limit) : limit_(limit) {}

  // False when one revision more would be too many.
  bool add(const Record& record) {
    if (record.revision != revision_) {
      finish();
      if (list_.size() == limit_) return false;
      revision_ = record.revision;
      entry_ = header_of(record);
    }
    if (++total_ > changes_told_max) return true;
    changes_.push_back(Value::object(
        {{"resource", resource_name(record.key)},
         {"action", action_of(record.before.has_value(), record.after.has_value())}}));
    return true;
  }
  void finish() {
    if (total_ == 0) return;
    std::ranges::reverse(changes_);
    entry_.set("changes", std::exchange(changes_, {}));
    if (total_ > changes_told_max) entry_.set("changes_total", total_);
    list_.push_back(std::move(entry_));
    total_ = 0;
  }
  Value take() { return std::move(list_); }

 private:
  std::size_t limit_;
  Revision revision_ = 0;
  Value entry_;
  json::Array changes_, list_;
  std::size_t total_ = 0;
};

std::unexpected<Error> forgotten(Revision wanted, Revision kept_since) {
  return fail(ErrorKind::not_found,
              fmt::format("revision {} is forgotten: the history reaches back to revision {}", wanted,
                          kept_since));
}

std::unexpected<Error> not_yet(Revision wanted, Revision current) {
  return fail(ErrorKind::not_found,
              fmt::format("there is no revision {}: the latest is {}", wanted, current));
}

}  // namespace

std::optional<Revision> parse_revision(std::string_view text) {
  auto number = parse_unsigned(text);
  if (!number || *number >= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return std::nullopt;
  return static_cast<Revision>(*number);
}

std::optional<http::Reply> read_resource_name(const Call& call, std::string& name) {
  const auto* given = call.arguments.find("resource");
  if (!given) return std::nullopt;
  if (!model::find_resource(given->substr(0, given->find('/'))))
    return bad_argument("resource",
                        fmt::format("'{}' is no kind of resource, as routes or routes/1", *given));
  name = given->ends_with('/') ? given->substr(0, given->size() - 1) : *given;
  return std::nullopt;
}

http::Reply history_error(const Error& error) {
  return error_reply(error.kind == ErrorKind::not_found ? 404 : error.kind == ErrorKind::limit ? 413 : 503,
                     error.what);
}

void Changes::add(Record record) {
  auto [at, fresh] = changes_.try_emplace(std::move(record.key));
  const auto size = [](const std::optional<std::string>& text) { return text ? text->size() : 0; };
  Change& change = at->second;
  if (fresh) {
    change.after = std::move(record.after);
    change.revision = record.revision;
    bytes_ += size(change.after) + at->first.size();
  }
  bytes_ -= size(change.before);
  change.before = std::move(record.before);
  bytes_ += size(change.before);
}

std::map<std::string, Changes::Change> Changes::take() {
  std::erase_if(changes_, [](const auto& change) { return change.second.before == change.second.after; });
  return std::move(changes_);
}

async::Task<http::Reply> History::handle(Call call) {
  const auto& segments = call.segments;
  if (call.method != http::Method::get || segments.size() > 2) return error_reply(404, "not found");
  if (segments.size() == 1) return list(std::move(call));
  if (segments[1] == "diff") return compare(std::move(call));
  const auto revision = parse_revision(segments[1]);
  if (!revision) return error_reply(404, fmt::format("'{}' is no revision", segments[1]));
  std::string name;
  if (auto refusal = read_resource_name(call, name)) return std::move(*refusal);
  return show(*revision, std::move(name));
}

async::Task<http::Reply> History::list(Call call) {
  Wanted wanted;
  if (auto refusal = read_wanted(call, wanted)) co_return std::move(*refusal);
  Listing listing(wanted.limit);
  Revision next = 0;
  Revision kept_since = 0;
  for (bool more = true; more && next == 0;) {
    auto slice = co_await store_.history(wanted.question);
    if (!slice) co_return history_error(slice.error());
    more = slice->more;
    wanted.question.before = slice->next;
    kept_since = slice->kept_since;
    for (const Record& record : slice->records) {
      if (!wanted.has(record) || listing.add(record)) continue;
      next = record.revision;
      break;
    }
  }
  listing.finish();
  auto body = Value::object({{"list", listing.take()}, {"kept_since", kept_since}});
  if (next > 0) body.set("next", next);
  co_return json_reply(200, body);
}

async::Task<http::Reply> History::show(Revision revision, std::string name) {
  HistoryQuestion question{.since = revision - 1, .before = {revision + 1, 0}, .prefix = key_of_name(name)};
  Value body;
  json::Array changes;
  std::size_t bytes = 0, omitted = 0;
  Revision kept_since = 0;
  for (bool more = revision > 0; more;) {
    auto slice = co_await store_.history(question);
    if (!slice) co_return history_error(slice.error());
    more = slice->more;
    question.before = slice->next;
    kept_since = slice->kept_since;
    for (const Record& record : slice->records) {
      if (!is_named(record.key, name)) continue;
      if (body.is_null()) body = header_of(record);
      bytes += (record.before ? record.before->size() : 0) + (record.after ? record.after->size() : 0);
      if (bytes <= bytes_max) changes.push_back(describe_change(record.key, record.before, record.after));
      else ++omitted;
    }
  }
  if (body.is_null()) {
    if (revision > 0 && revision <= kept_since) {
      co_return error_reply(404,
                            fmt::format("what revision {} changed is forgotten: the history begins after "
                                        "revision {}",
                                        revision, kept_since));
    }
    co_return error_reply(404, fmt::format("there is no revision {}{}", revision,
                                           name.empty() ? "" : " that changed " + name));
  }
  std::ranges::reverse(changes);
  body.set("changes", std::move(changes));
  if (omitted > 0) body.set("changes_omitted", omitted);
  co_return json_reply(200, body);
}

async::Task<Result<Changes>> History::changes(Revision since, Revision upto, std::string name) {
  if (since > upto) co_return not_yet(since, upto);
  HistoryQuestion question{.since = since, .before = {upto + 1, 0}, .prefix = key_of_name(name)};
  Changes changes;
  for (bool more = true; more;) {
    auto slice = co_await store_.history(question);
    if (!slice) co_return std::unexpected(slice.error());
    if (since < slice->kept_since) co_return forgotten(since, slice->kept_since);
    more = slice->more;
    question.before = slice->next;
    for (Record& record : slice->records) {
      if (is_named(record.key, name)) changes.add(std::move(record));
    }
    if (changes.bytes() > bytes_max) {
      co_return fail(ErrorKind::limit,
                     fmt::format("what changed since revision {} is more than {} MiB: name a resource, or a "
                                 "later revision",
                                 since, bytes_max >> 20));
    }
  }
  co_return changes;
}

async::Task<http::Reply> History::compare(Call call) {
  std::string name;
  if (auto refusal = read_resource_name(call, name)) co_return std::move(*refusal);
  const auto* from_text = call.arguments.find("from");
  const auto* to_text = call.arguments.find("to");
  const auto from = from_text ? parse_revision(*from_text) : std::nullopt;
  const auto to_given = to_text ? parse_revision(*to_text) : std::nullopt;
  if (!from) co_return bad_argument("from", "must be a revision");
  if (to_text && !to_given) co_return bad_argument("to", "must be a revision; without it, the latest");
  auto latest = co_await store_.revision();
  if (!latest) co_return history_error(latest.error());
  const Revision to = to_given.value_or(*latest);
  const auto [earlier, later] = std::minmax(*from, to);
  if (later > *latest) co_return history_error(not_yet(later, *latest).error());
  auto found = co_await changes(earlier, later, std::move(name));
  if (!found) co_return history_error(found.error());
  json::Array list;
  for (auto& [key, change] : found->take()) {
    if (*from > to) std::swap(change.before, change.after);
    list.push_back(describe_change(key, change.before, change.after));
  }
  co_return json_reply(200, Value::object({{"from", *from}, {"to", to}, {"changes", std::move(list)}}));
}

}  // namespace sluice::admin
