// SPDX-License-Identifier: Apache-2.0
// etcd v3's JSON gateway as text: what is asked and what comes back (api/etcdserverpb/rpc.proto: bytes are
// base64, 64-bit numbers are strings, what is zero is left out). Pure functions, any thread; answers may hold
// anything.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "store/store.h"

namespace sluice::store::etcd {

// The text of an answer.
Result<json::Value> parse_answer(std::string_view text);

struct KeyRange {
  std::string from;
  std::string end;  // exclusive; "": `from` alone
};
// All keys that begin with `prefix`.
KeyRange below(std::string prefix);

struct RangeQuestion {
  KeyRange keys;
  std::int64_t limit = 0;  // 0: all
  Revision at = 0;         // 0: the latest
  bool newest = false;     // the one that was written last, without its value
};
json::Value to_value(const RangeQuestion& question);

struct RangeAnswer {
  std::vector<Entry> entries;
  Revision revision = 0;  // of the store
  std::string cluster;    // its id
  bool more = false;
};
Result<RangeAnswer> read_range(const json::Value& answer);
// The last key of an answer that says there are more behind it, found without taking it apart: so that these
// can be asked for at once. A guess: nothing, or another key, when the text is not as etcd writes it.
std::optional<std::string> glance_at_last_key(std::string_view answer);

// A compare of a transaction, and an operation of it.
json::Value compare_created(const std::string& key, bool exists);
json::Value compare_modified(const std::string& key, Revision is);
json::Value compare_untouched_since(const KeyRange& keys, Revision since);
// `lease` is the number of one that was granted; "" keeps the key for good.
json::Value put_operation(const std::string& key, std::string_view value, const std::string& lease = {});
json::Value remove_operation(const std::string& key);
json::Value range_operation(const RangeQuestion& question);

struct TransactionAnswer {
  bool succeeded = false;
  Revision revision = 0;
  // For each operation: what was there before (put, remove) or what was found (range).
  std::vector<std::vector<Entry>> found;
};
Result<TransactionAnswer> read_transaction(const json::Value& answer);

// The first line to say on a watch's stream.
json::Value watch_question(const KeyRange& keys, Revision from);

struct WatchAnswer {
  bool created = false;
  bool canceled = false;
  std::string reason;      // of the end
  Revision compacted = 0;  // not 0: what was asked for is gone up to here
  Revision revision = 0;   // of the store when this was said
  std::string cluster;     // its id
  std::vector<Change> changes;
};
// One line of the stream.
Result<WatchAnswer> read_watch(std::string_view line);

// An answer that is an error: its text and gRPC code; nothing when it is none.
struct Refusal {
  int code = 0;
  std::string what;
  bool token_is_bad() const;  // authenticate again
  bool elsewhere() const;     // another server may do it: this one has no leader, stops, is cut off
};
std::optional<Refusal> refusal_of(int status, const json::Value& answer);

// Cuts a stream into lines.
class Lines {
 public:
  explicit Lines(std::size_t line_max) : line_max_(line_max) {}
  // False when a line grows beyond the limit.
  bool add(std::string_view bytes);
  // The next whole line, without its end; it lives until the next call of `add`.
  std::optional<std::string_view> next();
  // What is left behind the last end of a line.
  std::string_view rest() const { return std::string_view(bytes_).substr(read_); }

 private:
  std::string bytes_;
  std::size_t read_ = 0;    // up to here they were given out
  std::size_t looked_ = 0;  // up to here there is no end of a line
  std::size_t line_max_;
};

}  // namespace sluice::store::etcd
