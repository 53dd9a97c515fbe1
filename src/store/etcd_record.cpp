// SPDX-License-Identifier: Apache-2.0
#include "store/etcd_record.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "json/text.h"
#include "model/resources.h"

namespace sluice::store::etcd {
namespace {

using json::Value;

constexpr std::string_view nothing = "-";
constexpr std::size_t digits_max = 10;

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorKind::protocol, fmt::format("a record of the history in etcd is damaged: {}", what));
}

void append(std::string& out, const std::optional<std::string>& text) {
  if (!text) out += nothing;
  else out.append(std::to_string(text->size())).append(":").append(*text);
}

// "5:hello" or "-", taken off the front.
bool take(std::string_view& rest, std::optional<std::string>& into) {
  if (rest.starts_with(nothing)) return rest.remove_prefix(nothing.size()), true;
  const std::size_t colon = rest.find(':');
  if (colon == rest.npos || colon > digits_max) return false;
  const auto size = parse_unsigned(rest.substr(0, colon));
  rest.remove_prefix(colon + 1);
  if (!size || *size > rest.size()) return false;
  into = rest.substr(0, *size);
  rest.remove_prefix(*size);
  return true;
}

std::int64_t number_of(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value && value->is_integer() ? value->as_int() : 0;
}

bool flag_of(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value && value->is_bool() && value->as_bool();
}

}  // namespace

HistoryKeys::HistoryKeys(const std::string& prefix)
    : folder("/sluice" + prefix + "/"), all(folder + "history/"), last(all + "last"),
      outside(all + "outside"), since(all + "since") {}

bool is_recorded(std::string_view key) {
  return model::split_key(key).resource != nullptr &&
         std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; });
}

namespace {

Value to_value(const Head& head) {
  auto keys = Value::array();
  for (const auto& key : head.keys) {
    keys.push_back(
        Value::object({{"name", key.name}, {"existed", key.existed}, {"exists", key.exists}}));
  }
  auto value = Value::object({{"time_ms", head.at_ms},
                              {"author", head.author.name},
                              {"address", head.author.address},
                              {"note", head.note},
                              {"size", head.size},
                              {"keys", std::move(keys)}});
  if (head.revision > 0) value.set("revision", head.revision);
  return value;
}

Result<Head> read_head(const Value& value) {
  const Value* keys = value.find("keys");
  if (!keys || !keys->is_array()) return damaged("it names no keys");
  Head head{.revision = std::max<std::int64_t>(number_of(value, "revision"), 0),
            .at_ms = number_of(value, "time_ms"),
            .author = {std::string(value.text("author")), std::string(value.text("address"))},
            .note = std::string(value.text("note")),
            .size = std::max<std::int64_t>(number_of(value, "size"), 0),
            .keys = {}};
  for (const Value& key : keys->as_array())
    head.keys.push_back({std::string(key.text("name")), flag_of(key, "existed"), flag_of(key, "exists")});
  return head;
}

}  // namespace

std::string to_text(const Head& head) { return json::dump(to_value(head)); }

std::string to_text(const std::vector<Head>& heads) {
  auto list = Value::array();
  for (const Head& head : heads) list.push_back(to_value(head));
  return json::dump(list);
}

Result<std::vector<Head>> read_heads(std::string_view text) {
  auto parsed = json::parse(text);
  if (!parsed) return damaged(parsed.error().what);
  if (!parsed->is_array()) parsed = Value::array({std::move(*parsed)});
  std::vector<Head> heads;
  for (const Value& value : parsed->as_array()) {
    auto head = read_head(value);
    if (!head) return std::unexpected(head.error());
    if (head->revision == 0 && parsed->as_array().size() > 1) return damaged("revisions are missing");
    heads.push_back(std::move(*head));
  }
  if (heads.empty()) return damaged("it is empty");
  return heads;
}

std::string to_text(const std::vector<Values>& values) {
  std::string text;
  for (const auto& one : values) {
    append(text, one.before);
    append(text, one.after);
  }
  return text;
}

Result<std::vector<Values>> read_values(std::string_view text) {
  std::vector<Values> values;
  while (!text.empty()) {
    auto& one = values.emplace_back();
    if (!take(text, one.before) || !take(text, one.after)) return damaged("a value cannot be read");
  }
  return values;
}

std::string own_id(Revision known) { return fmt::format("{:020}-{:016x}", known, thread_random().next()); }

std::string outside_id(Revision first) { return fmt::format("{:020}-outside", first); }

}  // namespace sluice::store::etcd
