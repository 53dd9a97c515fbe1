// SPDX-License-Identifier: Apache-2.0
// One mapping of config.yaml while it is read: every key that is asked for counts as known, what is left over
// is warned about. Values of a wrong type are problems with their path; the default then stands. Start of the
// process.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "json/findings.h"
#include "json/value.h"

namespace sluice::main {

class Section {
 public:
  // `value` may be null: an absent section has every default.
  Section(const json::Value* value, std::string path, json::Findings& findings);
  Section(const Section&) = delete;
  ~Section();  // warns about keys nobody asked for

  bool has(std::string_view key);
  const json::Value* raw(std::string_view key);
  Section section(std::string_view key);
  void flag(std::string_view key, bool& into);  // true, false, and nginx's on and off
  void text(std::string_view key, std::string& into);
  template <class T>
  void integer(std::string_view key, T& into, std::int64_t least, std::int64_t most) {
    std::int64_t value = static_cast<std::int64_t>(into);
    if (whole(key, value, least, most)) into = static_cast<T>(value);
  }
  // "60s", "500ms", "1m", "2h", or a number of seconds.
  void duration(std::string_view key, Duration& into);
  // "10m", "16k", or a number of bytes.
  void size(std::string_view key, std::uint64_t& into);
  // One text or a list of texts.
  std::vector<std::string> texts(std::string_view key);
  // {ip, port}.
  void endpoint(std::string_view key, Endpoint& into);

  json::Findings& findings() { return findings_; }
  void problem(std::string_view key, std::string what);
  void warn(std::string_view key, std::string what);

 private:
  bool whole(std::string_view key, std::int64_t& into, std::int64_t least, std::int64_t most);
  const json::Value* value_;
  std::string path_;
  json::Findings& findings_;
  std::set<std::string, std::less<>> known_;
};

std::optional<Duration> parse_duration(std::string_view text);

}  // namespace sluice::main
