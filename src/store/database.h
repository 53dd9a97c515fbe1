// SPDX-License-Identifier: Apache-2.0
// SQLite behind two small classes, so that its header stays in one .cpp: a connection and a prepared
// statement. An error of SQLite becomes a Result with one sentence for the operator. Used by one thread at a
// time.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::store {

class Database {
 public:
  enum class Mode : std::uint8_t { read_write, read_only };

  Database() = default;
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  static Result<Database> open(const std::string& path, Mode mode);
  // Statements without results, several at once.
  Result<> run(const char* sql);
  Result<std::int64_t> number(const char* sql);
  Result<std::string> text(const char* sql);
  // Copies everything into `path`, which must be new.
  Result<> copy_to(const std::string& path);
  // The error of the last call as a Result; what it means and what to do.
  std::unexpected<Error> error(std::string_view doing) const;
  bool in_transaction() const;

 private:
  friend class Statement;
  sqlite3* handle_ = nullptr;
  std::string path_;
};

class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();
  static Result<Statement> prepare(Database& database, std::string_view sql);

  // Parameters count from 0 and are kept until the next `reset`; text is borrowed until then.
  Statement& bind(int index, std::int64_t number);
  Statement& bind(int index, std::string_view text);
  Statement& bind_null(int index);
  // The next row: true; the end: false.
  Result<bool> step();
  // For statements without rows: steps and resets.
  Result<> run();
  void reset();

  std::int64_t number(int column) const;
  std::string text(int column) const;
  bool is_null(int column) const;

 private:
  Database* database_ = nullptr;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace sluice::store
