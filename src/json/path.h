// SPDX-License-Identifier: Apache-2.0
// JSONPath (RFC 9535), the part that APISIX's operators use: names, indexes, wildcards and descent.
// "messages[*].content", "..type", "a['b c'][0]"; a leading "$" or "$." may be left out. Filters and slices
// are refused when the path is parsed. Asking is bounded by the number of values looked at. Immutable, any
// thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

namespace sluice::json {

class Path {
 public:
  static constexpr std::size_t steps_max = 64;
  static constexpr std::size_t visits_max = 100'000;  // values looked at for one question

  // No value: the text is no path, or asks for what is not supported.
  static std::optional<Path> parse(std::string_view text);

  // Names alone: there is one value at most, and no array is entered.
  bool plain() const { return plain_; }
  // The values at the path, in document order; none when too many had to be looked at.
  std::vector<const Value*> find(const Value& root) const;

 private:
  enum class Kind : std::uint8_t { name, index, all };
  struct Step {
    Kind kind = Kind::name;
    bool descends = false;  // also in everything below
    std::string name;
    std::size_t index = 0;
  };
  class Parser;
  class Search;
  std::vector<Step> steps_;
  bool plain_ = true;
};

}  // namespace sluice::json
