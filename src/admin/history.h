// SPDX-License-Identifier: Apache-2.0
// The Admin API's view of the past, below /history: what was changed when and by whom, and how two revisions
// differ (docs/versions.md). Reads the store's history in slices. Lives on the control thread, longer than
// its tasks.
#pragma once
#include <map>

#include "admin/call.h"
#include "store/store.h"

namespace sluice::admin {

// What changed from one revision to a later one, by key.
class Changes {
 public:
  struct Change {
    std::optional<std::string> before, after;
    store::Revision revision = 0;  // that wrote it last
  };
  // The records between, the latest first.
  void add(store::Record record);
  // Of the values held.
  std::size_t bytes() const { return bytes_; }
  // Without what was put back to where it had been.
  std::map<std::string, Change> take();

 private:
  std::map<std::string, Change> changes_;
  std::size_t bytes_ = 0;
};

class History {
 public:
  explicit History(store::Store& store) : store_(store) {}

  // `call.segments` begins with "history".
  async::Task<http::Reply> handle(Call call);

  // What would have to be undone to be at `since` again; below `name` ("routes/1"; "": everything). Errors:
  // not_found (forgotten, or not yet there), limit (too much at once), else the store's.
  async::Task<Result<Changes>> changes(store::Revision since, store::Revision upto, std::string name);

 private:
  async::Task<http::Reply> list(Call call);
  async::Task<http::Reply> show(store::Revision revision, std::string name);
  async::Task<http::Reply> compare(Call call);

  store::Store& store_;
};

std::optional<store::Revision> parse_revision(std::string_view text);
// The argument `resource`: a kind, or one of it; the reply that refuses it.
std::optional<http::Reply> read_resource_name(const Call& call, std::string& name);
// The reply for an error of the history or of the store.
http::Reply history_error(const Error& error);

}  // namespace sluice::admin
