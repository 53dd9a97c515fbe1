// SPDX-License-Identifier: Apache-2.0
// What the limiting plugins share: what they count by, and amounts that are written as a number or depend on
// the request. Compiled with the plugin; immutable, any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "json/choice.h"
#include "plugin/leaf.h"

namespace sluice::plugin {

enum class KeyType : std::uint8_t { var, var_combination, constant };
json::Names enum_names(KeyType);

// What a request is counted by.
class LimitKey {
 public:
  // `key` is a variable's name, a text with $variables, or a constant. A `strict` key that names variables
  // none of which is there counts nothing; else the client's address stands in.
  LimitKey(KeyType type, const std::string& key, bool strict = false);

  // Lives until the next call on this thread; nothing when the request is not counted.
  std::optional<std::string_view> of(Exchange& x) const;

 private:
  KeyType type_;
  bool strict_;
  Variable variable_;
  Template text_;
  std::string constant_;
};

using WrittenAmount = std::variant<std::int64_t, std::string>;  // 10, "10", "$http_x_quota"

// A whole number: written as one (what is more than `most` is `most`), or rendered for each request.
class Amount {
 public:
  static constexpr std::int64_t most = (std::int64_t{1} << 53) - 1;

  Amount() = default;  // 0
  explicit Amount(const WrittenAmount& written);

  bool is_fixed() const { return fixed_.has_value(); }
  // The number, where it does not depend on the request.
  std::optional<std::int64_t> fixed() const { return fixed_; }
  // Nothing when it is no whole number for this request, or less than `least`.
  std::optional<std::int64_t> of(Exchange& x, std::int64_t least) const;

 private:
  std::optional<std::int64_t> fixed_ = 0;
  Template text_;  // when it is not
};

// What the keys of one plugin's config begin with in Redis: the same on every gateway, another when it is
// edited.
std::string redis_scope(std::string_view plugin, std::string_view owner, const json::Value& config);

// A number that no other plugin object has, so that equal keys of two of them are counted apart.
std::uint64_t own_identity();

}  // namespace sluice::plugin
