// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_wire.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "json/text.h"

namespace sluice::store::etcd {
namespace {

using json::Value;

std::string encoded(std::string_view bytes) {
  std::string text;
  base64_encode(bytes, text);
  return text;
}

std::unexpected<Error> strange(std::string_view what) {
  return fail(ErrorKind::protocol, fmt::format("etcd's answer is none: {}", what), Fault::peer);
}

// A 64-bit number, written as text or as a number; 0 when it is absent. False when it is neither.
bool read_number(const Value& object, std::string_view name, std::int64_t& into) {
  const Value* value = object.find(name);
  if (value == nullptr) return true;
  if (value->is_integer()) return into = value->as_int(), true;
  const auto number = value->is_string() ? parse_integer(value->as_string()) : std::nullopt;
  if (number) into = *number;
  return number.has_value();
}

bool read_flag(const Value& object, std::string_view name, bool& into) {
  const Value* value = object.find(name);
  if (value == nullptr) return true;
  if (value->is_bool()) into = value->as_bool();
  return value->is_bool();
}

bool read_bytes(const Value& object, std::string_view name, std::string& into) {
  const Value* value = object.find(name);
  if (value == nullptr) return true;
  return value->is_string() && base64_decode(value->as_string(), into);
}

bool read_revision(const Value& answer, Revision& into) {
  const Value* header = answer.find("header");
  return header != nullptr && header->is_object() && read_number(*header, "revision", into) && into >= 0;
}

std::string read_cluster(const Value& answer) {
  const Value* header = answer.find("header");
  return header == nullptr ? std::string() : std::string(header->text("cluster_id"));
}

bool read_entry(const Value& pair, Entry& entry) {
  std::int64_t lease = 0;
  if (!pair.is_object() || !read_number(pair, "lease", lease)) return false;
  entry.leased = lease != 0;
  return read_bytes(pair, "key", entry.key) && !entry.key.empty() &&
         read_bytes(pair, "value", entry.value) && read_number(pair, "create_revision", entry.created) &&
         read_number(pair, "mod_revision", entry.modified);
}

bool read_entries(const Value& object, std::string_view name, std::vector<Entry>& entries) {
  const Value* list = object.find(name);
  if (list == nullptr) return true;
  if (!list->is_array()) return false;
  for (const Value& pair : list->as_array()) {
    if (!read_entry(pair, entries.emplace_back())) return false;
  }
  return true;
}

// {"response_put": {…}}: one operation's outcome.
bool read_outcome(const Value& outcome, std::vector<Entry>& found) {
  if (!outcome.is_object()) return false;
  if (const Value* put = outcome.find("response_put")) {
    const Value* before = put->find("prev_kv");
    return before == nullptr || read_entry(*before, found.emplace_back());
  }
  if (const Value* removed = outcome.find("response_delete_range"))
    return read_entries(*removed, "prev_kvs", found);
  if (const Value* range = outcome.find("response_range")) return read_entries(*range, "kvs", found);
  return false;
}

bool read_event(const Value& event, Change& change) {
  const Value* pair = event.find("kv");
  Entry entry;
  if (pair == nullptr || !read_entry(*pair, entry)) return false;
  change.revision = entry.modified;
  change.created = entry.created;
  change.leased = entry.leased;
  change.key = std::move(entry.key);
  const auto type = event.text("type", "PUT");
  if (type == "PUT") change.value = std::move(entry.value);
  return type == "PUT" || type == "DELETE";
}

Value key_of(const std::string& key) { return Value::object({{"key", encoded(key)}}); }

Value with_keys(const KeyRange& keys) {
  Value value = key_of(keys.from);
  if (!keys.end.empty()) value.set("range_end", encoded(keys.end));
  return value;
}

}  // namespace

Result<Value> parse_answer(std::string_view text) {
  auto parsed = json::parse(text);
  if (!parsed) return strange(parsed.error().what);
  return parsed;
}

KeyRange below(std::string prefix) {
  KeyRange range{prefix, std::move(prefix)};
  while (!range.end.empty() && static_cast<unsigned char>(range.end.back()) == 0xff) range.end.pop_back();
  if (range.end.empty()) range.end = std::string(1, '\0');  // etcd: up to the last key
  else ++range.end.back();
  return range;
}

Value to_value(const RangeQuestion& question) {
  Value value = with_keys(question.keys);
  if (question.limit > 0) value.set("limit", std::to_string(question.limit));
  if (question.at > 0) value.set("revision", std::to_string(question.at));
  if (question.newest) {
    value.set("limit", "1");
    value.set("sort_target", "MOD");
    value.set("sort_order", "DESCEND");
    value.set("keys_only", true);
  }
  return value;
}

Result<RangeAnswer> read_range(const Value& answer) {
  RangeAnswer range;
  if (!answer.is_object() || !read_revision(answer, range.revision)) return strange("no revision");
  if (!read_entries(answer, "kvs", range.entries) || !read_flag(answer, "more", range.more))
    return strange("a key or a value cannot be read");
  range.cluster = read_cluster(answer);
  return range;
}

std::optional<std::string> glance_at_last_key(std::string_view answer) {
  constexpr std::string_view name = "\"key\":\"", more = "\"more\":true";
  constexpr std::size_t end_most = 100;  // "more" and "count"
  const std::string_view end = answer.substr(answer.size() - std::min(answer.size(), end_most));
  const std::size_t last = answer.rfind(name);
  if (last == answer.npos || end.find(more) == end.npos) return std::nullopt;
  const std::string_view rest = answer.substr(last + name.size());
  std::string key;
  if (!base64_decode(rest.substr(0, rest.find('"')), key) || key.empty()) return std::nullopt;
  return key;
}

Value compare_created(const std::string& key, bool exists) {
  Value compare = key_of(key);
  compare.set("target", "CREATE");
  compare.set("result", exists ? "GREATER" : "EQUAL");
  compare.set("create_revision", "0");
  return compare;
}

Value compare_modified(const std::string& key, Revision is) {
  Value compare = key_of(key);
  compare.set("target", "MOD");
  compare.set("result", "EQUAL");
  compare.set("mod_revision", std::to_string(is));
  return compare;
}

Value compare_untouched_since(const KeyRange& keys, Revision since) {
  Value compare = with_keys(keys);
  compare.set("target", "MOD");
  compare.set("result", "LESS");
  compare.set("mod_revision", std::to_string(since + 1));
  return compare;
}

Value put_operation(const std::string& key, std::string_view value, const std::string& lease) {
  Value put = key_of(key);
  if (!lease.empty()) put.set("lease", lease);
  put.set("value", encoded(value));
  put.set("prev_kv", true);
  return Value::object({{"request_put", std::move(put)}});
}

Value remove_operation(const std::string& key) {
  Value remove = key_of(key);
  remove.set("prev_kv", true);
  return Value::object({{"request_delete_range", std::move(remove)}});
}

Value range_operation(const RangeQuestion& question) {
  return Value::object({{"request_range", to_value(question)}});
}

Result<TransactionAnswer> read_transaction(const Value& answer) {
  TransactionAnswer outcome;
  if (!answer.is_object() || !read_revision(answer, outcome.revision)) return strange("no revision");
  if (!read_flag(answer, "succeeded", outcome.succeeded)) return strange("`succeeded` is no flag");
  const Value* list = answer.find("responses");
  if (list == nullptr) return outcome;
  if (!list->is_array()) return strange("`responses` is no list");
  for (const Value& one : list->as_array()) {
    if (!read_outcome(one, outcome.found.emplace_back())) return strange("a response cannot be read");
  }
  return outcome;
}

Value watch_question(const KeyRange& keys, Revision from) {
  Value create = with_keys(keys);
  create.set("start_revision", std::to_string(from));
  create.set("progress_notify", true);
  return Value::object({{"create_request", std::move(create)}});
}

Result<WatchAnswer> read_watch(std::string_view line) {
  auto parsed = parse_answer(line);
  if (!parsed) return std::unexpected(parsed.error());
  if (const auto refused = refusal_of(0, *parsed)) {
    WatchAnswer ended;
    ended.canceled = true;
    ended.reason = refused->what;
    return ended;
  }
  const Value* result = parsed->find("result");
  if (result == nullptr || !result->is_object()) return strange("no `result`");
  WatchAnswer answer;
  if (!read_flag(*result, "created", answer.created) || !read_flag(*result, "canceled", answer.canceled) ||
      !read_number(*result, "compact_revision", answer.compacted))
    return strange("a watch's state cannot be read");
  answer.reason = result->text("cancel_reason");
  (void)read_revision(*result, answer.revision);  // a canceled watch may have no header
  answer.cluster = read_cluster(*result);
  const Value* events = result->find("events");
  if (events == nullptr) return answer;
  if (!events->is_array()) return strange("`events` is no list");
  for (const Value& event : events->as_array()) {
    if (!read_event(event, answer.changes.emplace_back())) return strange("an event cannot be read");
  }
  return answer;
}

bool Refusal::token_is_bad() const {
  return code == 16 || what.find("invalid auth token") != what.npos ||
         what.find("user name is empty") != what.npos || what.find("auth store is old") != what.npos;
}

bool Refusal::elsewhere() const {
  return code == 14 || what.find("no leader") != what.npos || what.find("server stopped") != what.npos;
}

std::optional<Refusal> refusal_of(int status, const Value& answer) {
  const Value* error = answer.find("error");
  const Value& about = error != nullptr && error->is_object() ? *error : answer;
  Refusal refusal;
  refusal.what = about.text("message", answer.text("error"));
  if (refusal.what.empty() && status < 400) return std::nullopt;
  if (refusal.what.empty()) refusal.what = fmt::format("HTTP status {}", status);
  std::int64_t code = 0;
  (void)read_number(about, about.find("grpc_code") != nullptr ? "grpc_code" : "code", code);
  refusal.code = static_cast<int>(std::clamp<std::int64_t>(code, 0, 1000));
  return refusal;
}

bool Lines::add(std::string_view bytes) {
  bytes_.erase(0, read_);
  looked_ -= read_;
  read_ = 0;
  bytes_.append(bytes);
  return bytes_.size() <= line_max_ || bytes_.find('\n', looked_) < line_max_;
}

std::optional<std::string_view> Lines::next() {
  const std::size_t end = bytes_.find('\n', looked_);
  if (end == bytes_.npos) {
    looked_ = bytes_.size();
    return std::nullopt;
  }
  const std::string_view line(bytes_.data() + read_, end - read_);
  read_ = looked_ = end + 1;
  return line;
}

}  // namespace sluice::store::etcd
