// SPDX-License-Identifier: Apache-2.0
// The last good configuration of a store that is elsewhere, kept in an SQLite file of this node: written in
// the background whenever something changes, read once at start. What was kept of another source is not
// taken. One loop, which outlives it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "store/sqlite_store.h"

namespace sluice::store {

class LastGood {
 public:
  struct Kept {
    std::vector<Entry> entries;
    Revision revision = 0;  // of the source; 0: nothing was kept
  };
  // `source` tells one store from another.
  static Result<std::unique_ptr<LastGood>> open(const std::string& path, std::string source,
                                                async::Loop& loop);

  Result<Kept> read();
  // What has changed up to `revision`.
  void write(const std::vector<Change>& changes, Revision revision);

 private:
  LastGood(std::unique_ptr<Store> file, std::string source, async::Loop& loop)
      : file_(std::move(file)), source_(std::move(source)), loop_(loop) {}
  static async::Task<> commit(Store& file, Transaction transaction);

  std::unique_ptr<Store> file_;
  std::string source_;
  async::Loop& loop_;
};

}  // namespace sluice::store
