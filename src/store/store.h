// SPDX-License-Identifier: Apache-2.0
// Where resources are kept: a revisioned key-value store with conditional transactions, history and a watch
// that tells every committed change in order. Keys look as APISIX lays them out ("/apisix/routes/1"), values
// are the JSON text as it is to be served back. A Store belongs to one loop (the control thread's): every
// call is made there and every result and change arrives there. A write is answered when it is durable.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "base/time.h"
#include "store/history.h"
#include "store/seal.h"

namespace sluice::store {

struct Entry {
  std::string key;
  std::string value;
  Revision created = 0;   // when the key came into being
  Revision modified = 0;  // when it was written last
  bool leased = false;    // it goes when its time is over; only etcd says so
  std::string unreadable = {};  // why what is kept cannot be served; a reader gets the rest of it
};

struct Change {
  Revision revision = 0;
  std::string key;
  std::optional<std::string> value;  // nothing: the key was removed
  Revision created = 0;
  Instant stored{};  // when it was durable
  bool leased = false;  // as of an entry
  std::string unreadable = {};  // why it cannot be served: what was there before is to stay
};

struct Condition {
  enum class Kind : std::uint8_t {
    exists,           // the key is there
    absent,           // it is not
    unchanged,        // its `modified` is still `revision`
    unreferenced,     // no entry refers to it; of what this transaction writes, as it will be
    store_unchanged,  // no key has been written since `revision`
  };
  Kind kind = Kind::exists;
  std::string key;
  Revision revision = 0;
};

struct Write {
  std::string key;
  std::optional<std::string> value;     // nothing removes the key; removing what is not there changes nothing
  // Keys of other entries that this value names. A store that others write to as well reads them out of the
  // values instead.
  std::vector<std::string> references;
  // How long the value stays; then it is removed, in the name of the author "ttl". Zero: for good.
  Duration ttl = Duration::zero();
};

struct Transaction {
  std::vector<Condition> conditions;  // looked at in order; all hold, or nothing is written
  std::vector<Write> writes;
  Author author;    // for the history
  std::string note;  // the same
  bool try_only = false;  // the conditions are looked at, nothing is written
};

struct Committed {
  bool done = false;
  std::size_t failed = 0;  // the first condition that did not hold
  std::string by;          // of `unreferenced`: a key that still refers
  Revision revision = 0;   // of the store after this
  struct Written {
    Revision created = 0;
    bool existed = false;  // before
  };
  std::vector<Written> written;  // one for each write
};

// Whether `key` will refer to `target` no more once these writes are done.
bool stops_referring(const std::vector<Write>& writes, std::string_view key, std::string_view target);

struct Page {
  std::vector<Entry> entries;  // in the order of keys
  Revision revision = 0;
  bool more = false;  // ask again, after the last key
};

// How it stands with a store that is elsewhere, for the status API.
struct Standing {
  std::string_view provider = "embedded";
  bool reachable = true;  // else what is served is the last good configuration
  bool loaded = true;     // there is a configuration to serve
  std::string what;       // one sentence, when something is wrong
  Instant since{};
};

// What one of the gateways on a store serves by.
struct NodeReport {
  std::string node;
  Revision applied = 0;
  std::int64_t at_ms = 0;  // when it said so, Unix time
};

// Ends the watch when it is destroyed. Lives on the store's loop, not longer than the store.
class Watch {
 public:
  virtual ~Watch() = default;
};

class Store {
 public:
  // Changes of one or more revisions, in order, each exactly once; or the error that ended the watch (the
  // history does not reach back to `from`: read everything again).
  using OnChanges = std::function<void(Result<std::vector<Change>>)>;

  virtual ~Store() = default;

  virtual async::Task<Result<std::optional<Entry>>> get(std::string key) = 0;
  // Entries whose key begins with `prefix` and comes after `after`; `limit` 1 to 10000.
  virtual async::Task<Result<Page>> list(std::string prefix, std::string after, std::size_t limit) = 0;
  virtual async::Task<Result<Committed>> transact(Transaction transaction) = 0;
  // Of the latest change; a condition `store_unchanged` may be made of it.
  virtual async::Task<Result<Revision>> revision() = 0;
  // A number never given before, for ids.
  virtual async::Task<Result<std::int64_t>> next_id() = 0;
  virtual async::Task<Result<HistorySlice>> history(HistoryQuestion question) = 0;
  // Changes after `from` and from then on.
  virtual std::unique_ptr<Watch> watch(Revision from, OnChanges on_changes) = 0;
  // A consistent copy into a new file of mode 0600; an older file of that name is replaced once the copy is
  // whole.
  virtual async::Task<Result<>> backup(std::string path) = 0;

  // Puts into the place of every value, of the history too, what `how` makes of it, all in one step; it is no
  // revision.
  virtual async::Task<Result<>> rewrite(Resealer) {
    return Result<>(fail(ErrorKind::system, "the values of this store cannot be rewritten"));
  }
  // Seals all secrets with a new key; nothing opens with the old one afterwards. ErrorKind::not_found: the
  // store has no key that this could be done to.
  virtual async::Task<Result<>> change_key() {
    return Result<>(fail(ErrorKind::not_found, "this store has no key of its own for secrets"));
  }

  virtual Standing standing() const { return {}; }

  // Of a store that several gateways share: this one tells them how it stands, `how` is asked now and then.
  virtual void report(std::function<NodeReport()>) {}
  // All of them, this one too; none when nobody else can be there.
  virtual async::Task<Result<std::vector<NodeReport>>> nodes() {
    return Result<std::vector<NodeReport>>();
  }

  // Reads everything in one go, at start: `sink` is called for each entry in the order of keys; the revision
  // read.
  virtual Result<Revision> scan(std::string prefix, const std::function<void(Entry&&)>& sink) = 0;
};

// All entries whose key begins with `prefix`, page by page. `store` outlives the task.
async::Task<Result<std::vector<Entry>>> list_all(Store& store, std::string prefix);

}  // namespace sluice::store
