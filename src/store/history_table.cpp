// SPDX-License-Identifier: Apache-2.0
#include "store/history_table.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::store {
namespace {

using Place = HistoryQuestion::Place;

// A record's place is its row's number: the revision, and behind it the ordinal in 20 bits.
constexpr int ordinal_bits = 20;
constexpr std::int64_t ordinal_max = (std::int64_t{1} << ordinal_bits) - 1;
constexpr Revision revision_max = std::int64_t{1} << 42;
constexpr std::size_t slice_bytes_max = std::size_t{4} << 20;

std::int64_t row_of(Place place) {
  return (std::min(place.revision, revision_max) << ordinal_bits) | std::min(place.ordinal, ordinal_max);
}
Place place_of(std::int64_t row) { return {row >> ordinal_bits, row & ordinal_max}; }

std::int64_t size_of(const std::optional<std::string>& text) {
  return text ? static_cast<std::int64_t>(text->size()) : 0;
}

void bind_text(Statement& statement, int index, const std::optional<std::string>& text) {
  if (text) statement.bind(index, *text);
  else statement.bind_null(index);
}

// Columns 2 to 10 of `read_`.
Record record_of(const Statement& row, HistoryQuestion::Values values) {
  Record record;
  const Place place = place_of(row.number(0));
  record.revision = place.revision;
  record.ordinal = place.ordinal;
  record.key = row.text(1);
  record.at_ms = row.number(2);
  record.author = {row.text(3), row.text(4)};
  record.note = row.text(5);
  const bool included = values == HistoryQuestion::Values::included;
  if (row.number(6) != 0) record.before = included ? row.text(8) : std::string();
  if (row.number(7) != 0) record.after = included ? row.text(9) : std::string();
  return record;
}

}  // namespace

Result<> HistoryTable::create(Database& database, Revision since) {
  const auto sql = fmt::format(
      "CREATE TABLE history (place INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, size INTEGER NOT NULL,"
      "                      who TEXT NOT NULL, address TEXT NOT NULL, note TEXT NOT NULL,"
      "                      key TEXT NOT NULL, created INTEGER NOT NULL, before TEXT, after TEXT);"
      "INSERT OR REPLACE INTO meta VALUES ('history_from', {}), ('history_bytes', 0);",
      since);
  return database.run(sql.c_str());
}

Result<> HistoryTable::prepare(Database& database, const HistoryLimits& limits) {
  limits_ = limits;
  struct {
    Statement& statement;
    std::string_view sql;
  } all[]{
      {write_, "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {read_,
       "SELECT place, key, at_ms, who, address, note, before IS NOT NULL, after IS NOT NULL, before, after "
       "FROM history WHERE place<? AND place>=? ORDER BY place DESC LIMIT ?"},
      {since_, "SELECT place, key, created, after FROM history WHERE place>=? ORDER BY place"},
      {oldest_, "SELECT place, at_ms, size FROM history ORDER BY place"},
      {forget_, "DELETE FROM history WHERE place<?"},
      {save_, "UPDATE meta SET value=? WHERE name=?"},
  };
  for (auto& [statement, sql] : all) {
    auto prepared = Statement::prepare(database, sql);
    if (!prepared) return std::unexpected(prepared.error());
    statement = std::move(*prepared);
  }
  auto since = database.number("SELECT value FROM meta WHERE name='history_from'");
  if (!since) return std::unexpected(since.error());
  auto bytes = database.number("SELECT value FROM meta WHERE name='history_bytes'");
  if (!bytes) return std::unexpected(bytes.error());
  state_ = saved_ = {*since, *bytes};
  return {};
}

Result<> HistoryTable::write(const Record& record, Revision created) {
  if (record.ordinal > ordinal_max)
    return fail(ErrorKind::limit, fmt::format("a transaction changes at most {} keys", ordinal_max));
  const std::int64_t size = size_of(record.before) + size_of(record.after);
  write_.bind(0, row_of({record.revision, record.ordinal})).bind(1, record.at_ms).bind(2, size);
  write_.bind(3, record.author.name).bind(4, record.author.address).bind(5, record.note);
  write_.bind(6, record.key).bind(7, created);
  bind_text(write_, 8, record.before);
  bind_text(write_, 9, record.after);
  state_.bytes += size;
  ++written_;
  return write_.run();
}

Result<> HistoryTable::finish(Revision current, std::int64_t now_ms) {
  if (auto forgotten = forget(current, now_ms); !forgotten) return forgotten;
  written_ = 0;
  if (state_ == saved_) return {};
  auto saved = save_.bind(0, state_.kept_since).bind(1, "history_from").run();
  if (saved) saved = save_.bind(0, state_.bytes).bind(1, "history_bytes").run();
  return saved;
}

Result<> HistoryTable::rewrite(Database& database, const Resealer& how) {
  auto next = Statement::prepare(
      database, "SELECT place, key, before, after FROM history WHERE place>? ORDER BY place LIMIT 1");
  if (!next) return std::unexpected(next.error());
  auto update = Statement::prepare(database, "UPDATE history SET before=?, after=?, size=? WHERE place=?");
  if (!update) return std::unexpected(update.error());
  state_.bytes = 0;
  for (std::int64_t place = -1;;) {
    auto row = next->bind(0, place).step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    place = next->number(0);
    const std::string key = next->text(1);
    std::optional<std::string> before, after;
    if (!next->is_null(2)) before = how(key, next->text(2));
    if (!next->is_null(3)) after = how(key, next->text(3));
    next->reset();
    const std::int64_t size = size_of(before) + size_of(after);
    state_.bytes += size;
    bind_text(*update, 0, before);
    bind_text(*update, 1, after);
    if (auto done = update->bind(2, size).bind(3, place).run(); !done) return done;
  }
  next->reset();
  return save_.bind(0, state_.bytes).bind(1, "history_bytes").run();
}

bool HistoryTable::is_over(Revision revision, std::int64_t at_ms, std::int64_t bytes_left, Revision current,
                           std::int64_t now_ms) const {
  if (revision >= current) return false;  // the latest is always told
  const auto age_max = std::chrono::duration_cast<std::chrono::milliseconds>(limits_.age_max).count();
  return revision <= current - limits_.revisions_max || at_ms < now_ms - age_max ||
         bytes_left > static_cast<std::int64_t>(limits_.bytes_max);
}

// Whole revisions, at most a few more than were written, so that no write pays for many others.
Result<> HistoryTable::forget(Revision current, std::int64_t now_ms) {
  const std::int64_t most = 64 + 4 * written_;
  Revision last = 0;
  std::int64_t bytes_left = state_.bytes;
  for (std::int64_t looked_at = 0;; ++looked_at) {
    auto row = oldest_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const Revision revision = place_of(oldest_.number(0)).revision;
    if (revision != last &&
        (looked_at >= most || !is_over(revision, oldest_.number(1), bytes_left, current, now_ms)))
      break;
    last = revision;
    bytes_left -= oldest_.number(2);
  }
  oldest_.reset();
  if (last == 0) return {};
  state_ = {last, bytes_left};
  return forget_.bind(0, row_of({last + 1, 0})).run();
}

Result<HistorySlice> HistoryTable::read(const HistoryQuestion& question) {
  const auto limit = static_cast<std::int64_t>(std::clamp<std::size_t>(question.limit, 1, 10'000));
  read_.bind(0, row_of(question.before)).bind(1, row_of({question.since + 1, 0})).bind(2, limit + 1);
  HistorySlice slice;
  slice.kept_since = saved_.kept_since;
  std::int64_t looked_at = 0;
  std::size_t bytes = 0;
  for (;; ++looked_at) {
    auto row = read_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    slice.more = looked_at == limit || bytes > slice_bytes_max;
    if (slice.more) break;
    slice.next = place_of(read_.number(0));
    if (!read_.text(1).starts_with(question.prefix)) continue;
    const Record& record = slice.records.emplace_back(record_of(read_, question.values));
    bytes += static_cast<std::size_t>(size_of(record.before) + size_of(record.after));
  }
  read_.reset();
  return slice;
}

Result<std::vector<Change>> HistoryTable::changes_since(Revision from, Revision current) {
  if (from < state_.kept_since || from > current) {
    return fail(ErrorKind::not_found,
                fmt::format("the history reaches from revision {} to {}, not to {}: read all again",
                            state_.kept_since, current, from));
  }
  std::vector<Change> changes;
  since_.bind(0, row_of({from + 1, 0}));
  for (;;) {
    auto row = since_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    auto& change = changes.emplace_back();
    change = {place_of(since_.number(0)).revision, since_.text(1), {}, since_.number(2)};
    if (!since_.is_null(3)) change.value = since_.text(3);
  }
  since_.reset();
  return changes;
}

}  // namespace sluice::store
