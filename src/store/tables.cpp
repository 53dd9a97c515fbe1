// SPDX-License-Identifier: Apache-2.0
#include "store/tables.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

#include "model/resources.h"

namespace sluice::store {
namespace {

constexpr std::int64_t format_version = 3;
constexpr std::int64_t ids_at_once = 1000;
constexpr std::size_t rewritten_at_once = 500;

constexpr const char* schema = R"(
  CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT NOT NULL,
                      created INTEGER NOT NULL, modified INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE reference (source TEXT NOT NULL, target TEXT NOT NULL,
                          PRIMARY KEY (source, target)) WITHOUT ROWID;
  CREATE INDEX reference_target ON reference (target);
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('revision', 0), ('ids', 1), ('opened', 0);
)";

// The first text after every text that begins with `prefix`.
std::string end_of(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix.empty() ? std::string("\xff") : prefix;
}

Result<> create_file(const std::string& path, int flags) {
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
  if (file < 0) {
    return fail(ErrorKind::system,
                fmt::format("cannot open the store {}: {}; its folder must exist and be writable", path,
                            system_message("open", errno)));
  }
  ::close(file);
  return {};
}

Entry entry_of(const Statement& row) { return {row.text(0), row.text(1), row.number(2), row.number(3)}; }

}  // namespace

Result<std::unique_ptr<Tables>> Tables::open(const SqliteOptions& options) {
  auto file = create_file(options.path, 0);
  if (!file) return std::unexpected(file.error());
  std::unique_ptr<Tables> tables(new Tables);
  tables->options_ = options;
  if (auto locked = tables->lock(); !locked) return std::unexpected(locked.error());
  auto database = Database::open(options.path, Database::Mode::read_write);
  if (!database) return std::unexpected(database.error());
  tables->database_ = std::move(*database);
  Database& db = tables->database_;
  if (auto set = db.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF;"); !set) {
    return std::unexpected(set.error());
  }
  auto version = db.number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version > format_version) {
    return fail(
        ErrorKind::system,
        fmt::format(
            "the store {} has format {}, this version reads up to {}: start the newer version again, or "
            "put a backup made by this one in its place",
            options.path, *version, format_version));
  }
  auto sound = db.text("PRAGMA quick_check(1)");
  if (!sound) return std::unexpected(sound.error());
  if (*sound != "ok") {
    return fail(ErrorKind::system,
                fmt::format("the store {} is damaged ({}): put a backup in its place, or move it away "
                            "to start empty",
                            options.path, *sound));
  }
  if (auto made = tables->create(*version); !made) return std::unexpected(made.error());
  if (auto ready = tables->prepare(); !ready) return std::unexpected(ready.error());
  if (options.rewrite) {
    Result<> done = tables->begin();
    if (done) done = tables->rewrite(options.rewrite);
    if (done) done = tables->commit();
    if (!done) return std::unexpected(done.error());
  }
  return tables;
}

Tables::~Tables() {
  if (lock_ >= 0) ::close(lock_);
}

// Revisions are counted in memory, so there can be one writer only.
Result<> Tables::lock() {
  auto path = options_.path + ".lock";
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
  if (lock_ >= 0 && errno == EWOULDBLOCK) {
    return fail(ErrorKind::system,
                fmt::format("another gateway uses the store {}: stop it first, or give this one a "
                            "prefix of its own",
                            options_.path));
  }
  return fail(ErrorKind::system,
              fmt::format("cannot lock the store {}: {}", options_.path, system_message(path, errno)));
}

// Creates the tables in an empty file, and writes once in any case: a full or read-only disk shows now.
Result<> Tables::create(std::int64_t version) {
  if (auto begun = begin(); !begun) return begun;
  if (version == 0) {
    auto count = database_.number("SELECT count(*) FROM sqlite_master");
    if (count && *count > 0) {
      rollback();
      return fail(ErrorKind::system,
                  fmt::format("{} is an SQLite file of another program: give the store a file of its "
                              "own",
                              options_.path));
    }
    if (auto made = database_.run(schema); !made) return rollback(), made;
  }
  if (auto made = bring_up_to_date(version); !made) return rollback(), made;
  auto opened = fmt::format("UPDATE meta SET value={} WHERE name='opened'", std::time(nullptr));
  if (auto written = database_.run(opened.c_str()); !written) return rollback(), written;
  return commit();
}

// Format 1 had a history without what stood there before: it is left behind. Format 2 knew no leases.
Result<> Tables::bring_up_to_date(std::int64_t version) {
  if (version == format_version) return {};
  if (version == 1) {
    if (auto dropped = database_.run("DROP TABLE history"); !dropped) return dropped;
  }
  if (version < 2) {
    auto revision = database_.number("SELECT value FROM meta WHERE name='revision'");
    if (!revision) return std::unexpected(revision.error());
    if (auto made = HistoryTable::create(database_, *revision); !made) return made;
  }
  if (auto made = LeaseTable::create(database_); !made) return made;
  return database_.run(fmt::format("PRAGMA user_version={}", format_version).c_str());
}

Result<> Tables::prepare() {
  struct {
    Statement& statement;
    std::string_view sql;
  } all[]{
      {get_, "SELECT key, value, created, modified FROM entry WHERE key=?"},
      {list_,
       "SELECT key, value, created, modified FROM entry WHERE key>? AND key>=? AND key<? ORDER BY key LIMIT "
       "?"},
      {put_, "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)"},
      {remove_, "DELETE FROM entry WHERE key=?"},
      {refer_, "INSERT OR IGNORE INTO reference VALUES (?, ?)"},
      {unrefer_, "DELETE FROM reference WHERE source=?"},
      {referrers_, "SELECT source FROM reference WHERE target=? ORDER BY source"},
      {meta_, "UPDATE meta SET value=? WHERE name=?"},
  };
  for (auto& [statement, sql] : all) {
    auto prepared = Statement::prepare(database_, sql);
    if (!prepared) return std::unexpected(prepared.error());
    statement = std::move(*prepared);
  }
  auto revision = database_.number("SELECT value FROM meta WHERE name='revision'");
  if (!revision) return std::unexpected(revision.error());
  auto ids = database_.number("SELECT value FROM meta WHERE name='ids'");
  if (!ids) return std::unexpected(ids.error());
  revision_ = revision_saved_ = *revision;
  next_id_ = ids_reserved_ = *ids;
  if (auto ready = leases_.prepare(database_); !ready) return ready;
  return history_.prepare(database_, options_.history);
}

Result<> Tables::commit() {
  if (revision_ != revision_saved_) {
    auto saved = save_meta("revision", revision_);
    if (saved) saved = history_.finish(revision_, now_ms_);
    if (!saved) return rollback(), saved;
  }
  auto done = database_.run("COMMIT");
  if (!done) return rollback(), done;
  revision_saved_ = revision_;
  history_.committed();
  // What was overwritten is not to be found in the log either.
  if (std::exchange(rewritten_, false))
    (void)database_.run("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA secure_delete=OFF;");
  return {};
}

void Tables::rollback() {
  if (database_.in_transaction()) (void)database_.run("ROLLBACK");
  revision_ = revision_saved_;
  rewritten_ = false;
  history_.rolled_back();
  if (leases_.next_ms() != LeaseTable::never) (void)leases_.refresh();
  ids_reserved_ = std::min(ids_reserved_, next_id_);  // a reservation that was not kept is made again
}

Result<> Tables::save_meta(std::string_view name, std::int64_t value) {
  return meta_.bind(0, value).bind(1, name).run();
}

Result<std::optional<Entry>> Tables::get(const std::string& key) {
  auto row = get_.bind(0, key).step();
  Result<std::optional<Entry>> result;
  if (!row) {
    result = std::unexpected(row.error());
  } else if (*row) {
    *result = entry_of(get_);
  }
  get_.reset();
  return result;
}

Result<Page> Tables::list(const std::string& prefix, const std::string& after, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, 10'000);
  auto end = end_of(prefix);
  list_.bind(0, after).bind(1, prefix).bind(2, end).bind(3, static_cast<std::int64_t>(limit + 1));
  Page page;
  page.revision = revision_;
  for (;;) {
    auto row = list_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    if (page.entries.size() == limit) {
      page.more = true;
      break;
    }
    page.entries.push_back(entry_of(list_));
  }
  list_.reset();
  return page;
}

Result<bool> Tables::holds(const Condition& condition, const Transaction& transaction, Committed& result) {
  if (condition.kind == Condition::Kind::store_unchanged) return revision_ <= condition.revision;
  if (condition.kind != Condition::Kind::unreferenced) {
    auto found = get(condition.key);
    if (!found) return std::unexpected(found.error());
    switch (condition.kind) {
      case Condition::Kind::exists:
        return found->has_value();
      case Condition::Kind::absent:
        return !found->has_value();
      default:
        return (found->has_value() ? (*found)->modified : 0) == condition.revision;
    }
  }
  referrers_.bind(0, condition.key);
  bool free = true;
  for (;;) {
    auto row = referrers_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    auto source = referrers_.text(0);
    if (stops_referring(transaction.writes, source, condition.key)) continue;
    result.by = std::move(source);
    free = false;
    break;
  }
  referrers_.reset();
  return free;
}

Result<Committed> Tables::apply(const Transaction& transaction, std::int64_t now_ms,
                                std::vector<Change>& changes) {
  Committed result;
  for (const auto& condition : transaction.conditions) {
    auto held = holds(condition, transaction, result);
    if (!held) return std::unexpected(held.error());
    if (!*held) {
      result.revision = revision_;
      return result;
    }
    ++result.failed;
  }
  if (transaction.try_only) {
    result.done = true;
    result.revision = revision_;
    return result;
  }
  now_ms_ = now_ms;
  auto before = changes.size();
  ++revision_;
  for (const auto& one : transaction.writes) {
    if (auto done = write(one, transaction, result, changes); !done) return std::unexpected(done.error());
  }
  if (changes.size() == before) --revision_;
  result.done = true;
  result.revision = revision_;
  return result;
}

Result<> Tables::write(const Write& write, const Transaction& transaction, Committed& result,
                       std::vector<Change>& changes) {
  auto found = get(write.key);
  if (!found) return std::unexpected(found.error());
  bool existed = found->has_value();
  Revision created = existed ? (*found)->created : revision_;
  result.written.push_back({created, existed});
  if (!existed && !write.value) return {};
  if (auto referred = set_references(write); !referred) return referred;
  Result<> done;
  if (write.value) {
    done = put_.bind(0, write.key).bind(1, *write.value).bind(2, created).bind(3, revision_).run();
  } else {
    done = remove_.bind(0, write.key).run();
  }
  const auto ttl_ms = std::chrono::ceil<std::chrono::milliseconds>(write.ttl).count();
  const bool leased = write.value && ttl_ms > 0;
  if (done) done = leases_.set(write.key, leased ? now_ms_ + ttl_ms : LeaseTable::never);
  if (!done) return done;
  changes.push_back({revision_, write.key, write.value, created});
  Record record{revision_, static_cast<std::int64_t>(result.written.size()), now_ms_, transaction.author,
                transaction.note, write.key, {}, write.value};
  if (existed) record.before = std::move((*found)->value);
  return history_.write(record, created);
}

Result<> Tables::remove_due(std::int64_t now_ms, std::vector<Change>& changes) {
  auto keys = leases_.due(now_ms);
  if (!keys) return std::unexpected(keys.error());
  Transaction transaction;
  transaction.author.name = "ttl";
  for (auto& key : *keys) {
    const auto* resource = model::split_key(key).resource;
    const auto* child = resource == nullptr ? nullptr : model::child_of(*resource);
    if (child != nullptr) {
      auto below = list(fmt::format("{}/{}/", key, child->path), "", 10'000);
      if (!below) return std::unexpected(below.error());
      for (auto& entry : below->entries) transaction.writes.push_back({std::move(entry.key), {}, {}});
    }
    transaction.writes.push_back({std::move(key), {}, {}});
  }
  auto removed = apply(transaction, now_ms, changes);
  if (!removed) return std::unexpected(removed.error());
  return leases_.refresh();
}

Result<> Tables::set_references(const Write& write) {
  auto done = unrefer_.bind(0, write.key).run();
  for (const auto& target : write.references) {
    if (!done || !write.value) break;
    done = refer_.bind(0, write.key).bind(1, target).run();
  }
  return done;
}

Result<> Tables::rewrite(const Resealer& how) {
  if (auto set = database_.run("PRAGMA secure_delete=ON"); !set) return set;
  rewritten_ = true;
  auto update = Statement::prepare(database_, "UPDATE entry SET value=? WHERE key=?");
  if (!update) return std::unexpected(update.error());
  std::string after;
  for (bool more = true; more;) {
    auto page = list("", after, rewritten_at_once);
    if (!page) return std::unexpected(page.error());
    more = page->more;
    if (more) after = page->entries.back().key;
    for (Entry& entry : page->entries) {
      std::string fresh = how(entry.key, entry.value);
      if (fresh == entry.value) continue;
      if (auto done = update->bind(0, fresh).bind(1, entry.key).run(); !done) return done;
    }
  }
  return history_.rewrite(database_, how);
}

Result<std::int64_t> Tables::next_id() {
  if (next_id_ >= ids_reserved_) {
    auto saved = save_meta("ids", next_id_ + ids_at_once);
    if (!saved) return std::unexpected(saved.error());
    ids_reserved_ = next_id_ + ids_at_once;
  }
  return next_id_++;
}

Result<> Tables::backup(const std::string& path) { return backup_file(options_.path, path); }

Result<> Tables::backup_file(const std::string& from, const std::string& to) {
  auto source = Database::open(from, Database::Mode::read_only);
  if (!source) return std::unexpected(source.error());
  auto unfinished = to + ".unfinished";
  ::unlink(unfinished.c_str());
  if (auto made = create_file(unfinished, O_EXCL); !made) return made;
  auto copied = source->copy_to(unfinished);
  if (!copied) {
    ::unlink(unfinished.c_str());
    return copied;
  }
  if (int file = ::open(unfinished.c_str(), O_RDONLY | O_CLOEXEC); file >= 0) {
    ::fsync(file);
    ::close(file);
  }
  if (std::rename(unfinished.c_str(), to.c_str()) != 0) {
    auto error = errno;
    ::unlink(unfinished.c_str());
    return fail(ErrorKind::system,
                fmt::format("cannot write the backup {}: {}", to, system_message("rename", error)));
  }
  return {};
}

Result<Revision> Tables::scan(const std::string& path, const std::string& prefix,
                              const std::function<void(Entry&&)>& sink) {
  auto database = Database::open(path, Database::Mode::read_only);
  if (!database) return std::unexpected(database.error());
  if (auto begun = database->run("BEGIN"); !begun) return std::unexpected(begun.error());
  auto revision = database->number("SELECT value FROM meta WHERE name='revision'");
  if (!revision) return revision;
  auto rows = Statement::prepare(
      *database, "SELECT key, value, created, modified FROM entry WHERE key>=? AND key<? ORDER BY key");
  if (!rows) return std::unexpected(rows.error());
  auto end = end_of(prefix);
  rows->bind(0, prefix).bind(1, end);
  for (;;) {
    auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    sink(entry_of(*rows));
  }
  return revision;
}

}  // namespace sluice::store
