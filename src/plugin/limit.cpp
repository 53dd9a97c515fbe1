// SPDX-License-Identifier: Apache-2.0
#include "plugin/limit.h"

#include <algorithm>
#include <atomic>

#include "base/digest.h"
#include "base/hash.h"
#include "base/text.h"
#include "json/text.h"
#include "plugin/exchange.h"

namespace sluice::plugin {

json::Names enum_names(KeyType) {
  static constexpr std::string_view names[]{"var", "var_combination", "constant"};
  return names;
}

LimitKey::LimitKey(KeyType type, const std::string& key, bool strict) : type_(type), strict_(strict) {
  switch (type) {
    case KeyType::var: variable_ = find_variable(key); break;
    case KeyType::var_combination: text_ = Template::compile(key, find_variable); break;
    case KeyType::constant: constant_ = key;
  }
}

std::optional<std::string_view> LimitKey::of(Exchange& x) const {
  if (type_ == KeyType::constant) return constant_;
  if (type_ == KeyType::var) return variable_.read(x).value_or(x.remote_text);
  if (text_.is_constant()) return strict_ ? std::string_view(text_.text()) : x.remote_text;
  static thread_local std::string shown;
  shown.clear();
  if (text_.render(x, shown) > 0) return shown;
  return strict_ ? std::optional<std::string_view>() : x.remote_text;
}

Amount::Amount(const WrittenAmount& written) {
  if (const auto* number = std::get_if<std::int64_t>(&written)) {
    fixed_ = std::min(*number, most);
  } else {
    fixed_.reset();
    text_ = Template::compile(std::get<std::string>(written), find_variable);
  }
}

std::optional<std::int64_t> Amount::of(Exchange& x, std::int64_t least) const {
  if (is_fixed()) return fixed_;
  std::string shown;
  text_.render(x, shown);
  const auto number = parse_number(shown);
  if (!number || *number < static_cast<double>(least) || *number > static_cast<double>(most))
    return std::nullopt;
  const auto whole = static_cast<std::int64_t>(*number);
  return static_cast<double>(whole) == *number ? std::optional(whole) : std::nullopt;
}

std::string redis_scope(std::string_view plugin, std::string_view owner, const json::Value& config) {
  constexpr std::size_t digest_bytes = 8;
  std::string scope(plugin);
  scope.append(":").append(owner).append(":");
  append_hex(digest_of(Digest::sha256, json::dump(config)).substr(0, digest_bytes), scope);
  return scope.append(":");
}

std::uint64_t own_identity() {
  static std::atomic<std::uint64_t> made{0};
  return hash64(++made);
}

}  // namespace sluice::plugin
