// SPDX-License-Identifier: Apache-2.0
#include "main/section.h"

#include <charconv>

#include "json/units.h"

namespace sluice::main {

Section::Section(const json::Value* value, std::string path, json::Findings& findings)
    : value_(value), path_(std::move(path)), findings_(findings) {
  if (value_ == nullptr || value_->is_object()) return;
  if (!value_->is_null()) findings_.problems.push_back({path_, "must be a mapping", {}});
  value_ = nullptr;
}

Section::~Section() {
  if (value_ == nullptr) return;
  for (const auto& [key, ignored] : value_->as_object()) {
    if (!known_.contains(key))
      warn(key, "is not a key that Sluice knows; it is ignored, remove it or check its spelling");
  }
}

const json::Value* Section::raw(std::string_view key) {
  known_.emplace(key);
  const auto* found = value_ == nullptr ? nullptr : value_->find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

bool Section::has(std::string_view key) { return raw(key) != nullptr; }
Section Section::section(std::string_view key) {
  return {raw(key), path_ + "/" + std::string(key), findings_};
}

void Section::problem(std::string_view key, std::string what) {
  findings_.problems.push_back({path_ + "/" + std::string(key), std::move(what), {}});
}

void Section::warn(std::string_view key, std::string what) {
  findings_.warnings.push_back({path_ + "/" + std::string(key), std::move(what), {}});
}

void Section::flag(std::string_view key, bool& into) {
  const auto* value = raw(key);
  if (value == nullptr) return;
  if (value->is_bool()) into = value->as_bool();
  else if (value->is_string() && (value->as_string() == "on" || value->as_string() == "off"))
    into = value->as_string() == "on";
  else problem(key, "must be true or false");
}

void Section::text(std::string_view key, std::string& into) {
  const auto* value = raw(key);
  if (value == nullptr) return;
  if (value->is_string()) into = value->as_string();
  else problem(key, "must be a text");
}

bool Section::whole(std::string_view key, std::int64_t& into, std::int64_t least, std::int64_t most) {
  const auto* value = raw(key);
  if (value == nullptr) return false;
  if (!value->is_integer() || value->as_int() < least || value->as_int() > most) {
    problem(key, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return false;
  }
  into = value->as_int();
  return true;
}

std::optional<Duration> parse_duration(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc() || number < 0 || number > 1e9) return std::nullopt;
  const double seconds = unit.empty() || unit == "s" ? 1
                         : unit == "ms"              ? 0.001
                         : unit == "m"               ? 60
                         : unit == "h"               ? 3600
                         : unit == "d"               ? 86400
                                                     : -1;
  if (seconds < 0) return std::nullopt;
  return Duration(static_cast<std::int64_t>(number * seconds * 1e9));
}

void Section::duration(std::string_view key, Duration& into) {
  const auto* value = raw(key);
  if (value == nullptr) return;
  std::optional<Duration> parsed;
  if (value->is_number() && value->as_double() >= 0)
    parsed = Duration(static_cast<std::int64_t>(value->as_double() * 1e9));
  else if (value->is_string()) parsed = parse_duration(value->as_string());
  if (parsed) into = *parsed;
  else problem(key, "must be a time such as 60s, 500ms or 2m");
}

void Section::size(std::string_view key, std::uint64_t& into) {
  const auto* value = raw(key);
  if (value == nullptr) return;
  if (value->is_integer() && value->as_int() >= 0) into = static_cast<std::uint64_t>(value->as_int());
  else if (!value->is_string() || !json::parse_size(value->as_string(), into))
    problem(key, "must be a size such as 10m or 16k");
}

std::vector<std::string> Section::texts(std::string_view key) {
  const auto* value = raw(key);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  if (value->is_string()) return {value->as_string()};
  if (!value->is_array()) return problem(key, "must be a list of texts"), texts;
  for (const auto& item : value->as_array()) {
    if (item.is_string()) texts.push_back(item.as_string());
    else problem(key, "must be a list of texts");
  }
  return texts;
}

void Section::endpoint(std::string_view key, Endpoint& into) {
  Section place = section(key);
  std::string ip;
  place.text("ip", ip);
  place.integer("port", into.port, 0, 65535);
  if (ip.empty()) return;
  if (const auto address = IpAddress::parse(ip)) into.address = *address;
  else place.problem("ip", "'" + ip + "' is no IP address");
}

}  // namespace sluice::main
