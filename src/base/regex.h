// SPDX-License-Identifier: Apache-2.0
// Regular expressions as APISIX's users write them (PCRE), without letting a pattern stall a worker. RE2 runs
// whatever it can, in linear time, on bytes (Latin-1). What needs backtracking (backreferences, look-around,
// possessive quantifiers …) runs in PCRE2 with a budget of match steps; a match that exceeds it is
// `exhausted`, neither a match nor none, counted, and to be treated as the safe answer by the caller. A
// compiled Regex is immutable and shared between threads; copies share it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sluice {

class Replacement;

class Regex {
 public:
  enum class Engine : std::uint8_t { re2, pcre2 };
  enum class Outcome : std::uint8_t { no_match, match, exhausted };
  enum class Mode : std::uint8_t { once, global };

  // Match steps PCRE2 may take for one question (nginx's lua_regex_match_limit in APISIX has the same value).
  static constexpr std::uint32_t step_budget = 100'000;
  static constexpr std::size_t pattern_bytes_max = 16 * 1024;
  static constexpr std::size_t captures_max = 32;  // more groups may exist; only these are reported

  Regex() = default;  // matches nothing; assign a compiled one
  // `flags` are those of ngx.re: i (ignore case), s, m, x, u (UTF-8), a (anchored); j, o and d are accepted
  // and mean nothing here.
  static Result<Regex> compile(std::string_view pattern, std::string_view flags = {});

  Outcome match(std::string_view subject) const;
  // groups[0] is the whole match; a group that took no part has data() == nullptr. Groups beyond the span are
  // dropped.
  Outcome captures(std::string_view subject, std::span<std::string_view> groups) const;
  // Appends the subject with its first or every match replaced; on no_match the subject itself is appended;
  // on exhausted nothing is. `count`, if given, receives how many were replaced.
  Outcome replace(std::string_view subject, const Replacement& by, Mode mode, std::string& out,
                  std::size_t* count = nullptr) const;

  explicit operator bool() const { return compiled_ != nullptr; }
  Engine engine() const;
  const std::string& pattern() const;
  std::size_t group_count() const;  // without the whole match
  std::optional<std::size_t> group_index(std::string_view name) const;
  struct Name {
    std::string name;
    std::size_t index;
  };
  std::vector<Name> group_names() const;

  // How often any match in this process ran out of its budget.
  static std::uint64_t exhausted_total();

 private:
  struct Compiled;
  explicit Regex(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

// What a match is replaced by: text with $1, ${1}, $0 and $$ (a dollar), compiled once.
class Replacement {
 public:
  static Result<Replacement> compile(std::string_view text);
  void append(std::span<const std::string_view> groups, std::string& out) const;
  std::size_t highest_group() const;

 private:
  struct Part {
    std::string literal;  // before the group
    int group = -1;       // -1: none
  };
  std::vector<Part> parts_;
};

}  // namespace sluice
