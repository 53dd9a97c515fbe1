// SPDX-License-Identifier: Apache-2.0
// A member that may be written in more than one way: `std::variant<std::int64_t, std::string>` takes a number
// or a string. The first alternative whose JSON type fits is read; rules that follow apply to whichever it
// is. Any thread.
#pragma once
#include <variant>

#include "json/fields.h"

namespace sluice::json {

// The index of the first type that takes a value of this kind, or `count` after a problem that lists them
// all.
std::size_t choose(const Value& in, const Type* const* types, std::size_t count, Reader& reader);
Value choice_schema(const Type* const* types, std::size_t count);

template <class... Ts>
struct Codec<std::variant<Ts...>> {
  static constexpr const Type* types[]{&type_of<Ts>...};
  static bool read(const Value& in, std::variant<Ts...>& out, Reader& reader) {
    auto chosen = choose(in, types, sizeof...(Ts), reader);
    return read_chosen(in, out, reader, chosen, std::index_sequence_for<Ts...>{});
  }
  static Value write(const std::variant<Ts...>& value, Secrets secrets) {
    return std::visit([&](const auto& held) { return json::write(held, secrets); }, value);
  }
  static Value schema() { return choice_schema(types, sizeof...(Ts)); }

 private:
  template <std::size_t... I>
  static bool read_chosen(const Value& in, std::variant<Ts...>& out, Reader& reader, std::size_t chosen,
                          std::index_sequence<I...>) {
    return ((chosen == I && json::read(in, out.template emplace<I>(), reader)) || ...);
  }
};

}  // namespace sluice::json
