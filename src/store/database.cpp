// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <utility>

namespace sluice::store {

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(path_, other.path_);
  return *this;
}

Database::~Database() {
  if (handle_) sqlite3_close_v2(handle_);
}

Result<Database> Database::open(const std::string& path, Mode mode) {
  Database database;
  database.path_ = path;
  int flags = mode == Mode::read_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  if (sqlite3_open_v2(path.c_str(), &database.handle_, flags | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) {
    return database.error("open");
  }
  sqlite3_extended_result_codes(database.handle_, 1);
  sqlite3_busy_timeout(database.handle_, 5000);
  return database;
}

Result<> Database::run(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error("use");
  return {};
}

Result<std::int64_t> Database::number(const char* sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->number(0) : 0;
}

Result<std::string> Database::text(const char* sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->text(0) : std::string();
}

Result<> Database::copy_to(const std::string& path) {
  auto target = open(path, Mode::read_write);
  if (!target) return std::unexpected(target.error());
  auto* backup = sqlite3_backup_init(target->handle_, "main", handle_, "main");
  if (!backup) return target->error("write");
  int code = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) return target->error("write");
  return {};
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

std::unexpected<Error> Database::error(std::string_view doing) const {
  int code = handle_ ? sqlite3_extended_errcode(handle_) : SQLITE_NOMEM;
  const char* text = handle_ ? sqlite3_errmsg(handle_) : "out of memory";
  std::string_view advice;
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      advice = "the file is damaged: put a backup in its place, or move it away to start empty";
      break;
    case SQLITE_FULL:
      advice = "the disk is full: free some space";
      break;
    case SQLITE_IOERR:
      advice = "the disk failed or is full: look at the system's log";
      break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      advice = "the file is not writable: give it and its folder to the user the gateway runs as";
      break;
    case SQLITE_CANTOPEN:
      advice = "it cannot be opened: its folder must exist and be writable";
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      advice = "another process holds it: only one gateway may use a store";
      break;
    default:
      advice = "see the SQLite error";
      break;
  }
  return fail(ErrorKind::system, fmt::format("cannot {} the store {}: {} ({}, SQLite code {})", doing, path_,
                                             advice, text, code));
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(handle_, other.handle_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(handle_); }

Result<Statement> Statement::prepare(Database& database, std::string_view sql) {
  Statement statement;
  statement.database_ = &database;
  auto size = static_cast<int>(sql.size());
  if (sqlite3_prepare_v3(database.handle_, sql.data(), size, SQLITE_PREPARE_PERSISTENT, &statement.handle_,
                         nullptr) != SQLITE_OK) {
    return database.error("use");
  }
  return statement;
}

Statement& Statement::bind(int index, std::int64_t number) {
  SLUICE_CHECK(sqlite3_bind_int64(handle_, index + 1, number) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  SLUICE_CHECK(sqlite3_bind_text64(handle_, index + 1, text.data() ? text.data() : "", text.size(),
                                   SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_null(int index) {
  SLUICE_CHECK(sqlite3_bind_null(handle_, index + 1) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  auto error = database_->error("use");
  sqlite3_reset(handle_);
  return error;
}

Result<> Statement::run() {
  auto row = step();
  reset();
  if (!row) return std::unexpected(row.error());
  return {};
}

void Statement::reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(handle_, column); }

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return bytes ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)))
               : std::string();
}

bool Statement::is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }

}  // namespace sluice::store
