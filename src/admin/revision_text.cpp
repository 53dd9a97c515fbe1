// SPDX-License-Identifier: Apache-2.0
#include "admin/revision_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "json/difference.h"
#include "json/text.h"
#include "model/resources.h"

namespace sluice::admin {
namespace {

using json::Value;

Value read(const std::string& text) {
  auto parsed = json::parse(text);
  return parsed ? std::move(*parsed) : Value(text);
}

// Members that reading a resource does not show are left out; that they differ is said, without values.
class Veil {
 public:
  explicit Veil(std::string_view key) : resource_(model::split_key(key).resource) {}

  void hide_members(Value& body) const {
    if (!resource_ || !body.is_object()) return;
    for (const auto member : resource_->hidden) body.erase(member);
  }
  void hide_differences(Value& lines) const {
    for (Value& line : lines.as_array()) {
      if (!hides(line.text("path"))) continue;
      line.erase("before");
      line.erase("after");
      line.set("hidden", true);
    }
  }

 private:
  bool hides(std::string_view path) const {
    if (!resource_) return false;
    return std::ranges::any_of(resource_->hidden, [&](std::string_view member) {
      if (member.empty() || path.empty() || !path.substr(1).starts_with(member)) return false;
      return path.size() == member.size() + 1 || path[member.size() + 1] == '/';
    });
  }
  const model::Resource* resource_;
};

// `width` digits at `at`.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t width) {
  if (text.size() < at + width) return std::nullopt;
  auto number = parse_unsigned(text.substr(at, width));
  if (!number) return std::nullopt;
  return static_cast<int>(*number);
}

// Behind the seconds: ".123Z" or "Z", as milliseconds.
std::optional<int> fraction(std::string_view rest) {
  if (rest == "Z") return 0;
  if (rest.size() < 3 || rest.size() > 12 || rest.front() != '.' || rest.back() != 'Z') return std::nullopt;
  auto thousandths = std::string(rest.substr(1, rest.size() - 2)).append("00").substr(0, 3);
  if (!std::ranges::all_of(rest.substr(1, rest.size() - 2), is_digit)) return std::nullopt;
  return digits(thousandths, 0, 3);
}

}  // namespace

std::string_view resource_name(std::string_view key) {
  return key.starts_with(model::key_prefix) ? key.substr(model::key_prefix.size()) : key;
}

std::string key_of_name(std::string_view name) { return std::string(model::key_prefix).append(name); }

std::string time_text(std::int64_t at_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(at_ms)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto at = [&](std::size_t index, char wanted) {
    return index < text.size() && text[index] == wanted;
  };
  if (!at(4, '-') || !at(7, '-') || !at(10, 'T') || !at(13, ':') || !at(16, ':')) return std::nullopt;
  const auto y = digits(text, 0, 4), m = digits(text, 5, 2), d = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!y || !m || !d || !hour || !minute || !second) return std::nullopt;
  const auto milliseconds_part = fraction(text.substr(19));
  const year_month_day date(year(*y), month(static_cast<unsigned>(*m)), day(static_cast<unsigned>(*d)));
  if (!milliseconds_part || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto since = sys_days(date).time_since_epoch() + hours(*hour) + minutes(*minute) + seconds(*second);
  return duration_cast<milliseconds>(since).count() + *milliseconds_part;
}

std::string_view action_of(bool existed, bool exists) {
  if (!existed) return "create";
  return exists ? "update" : "delete";
}

Value describe_change(std::string_view key, const std::optional<std::string>& before,
                      const std::optional<std::string>& after) {
  auto change = Value::object({{"resource", resource_name(key)},
                               {"action", action_of(before.has_value(), after.has_value())}});
  const Veil veil(key);
  Value old = before ? read(*before) : Value(), fresh = after ? read(*after) : Value();
  Value lines = json::difference(old, fresh);
  veil.hide_members(old);
  veil.hide_members(fresh);
  veil.hide_differences(lines);
  if (before) change.set("before", std::move(old));
  if (after) change.set("after", std::move(fresh));
  if (before && after) change.set("diff", std::move(lines));
  return change;
}

}  // namespace sluice::admin
