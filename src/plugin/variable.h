// SPDX-License-Identifier: Apache-2.0
// A variable of a request ("arg_page", "http_user_agent", "remote_addr"), resolved to the function that reads
// it when configuration is compiled, so that no request looks anything up by a variable's name. Immutable and
// shared by all threads; reading one happens on the worker that owns the exchange, and what it returns lives
// as long as that exchange's arena.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::plugin {

class Exchange;

class Variable {
 public:
  using Value = std::optional<std::string_view>;  // nullopt: absent, which is not the same as empty
  using Read = Value (*)(Exchange&, const Variable&);
  // text: one value. list: several, separated by '\n', which none of them contains. either: a list when it
  // begins with '\n', else the text of a JSON value.
  enum class Shape : std::uint8_t { text, list, either };

  Variable() = default;  // always absent
  Variable(Read reader, std::string argument = {}, std::uint32_t number = 0, Shape shape = Shape::text)
      : read_(reader), argument_(std::move(argument)), number_(number), shape_(shape) {}

  Value read(Exchange& x) const { return read_ ? read_(x, *this) : std::nullopt; }
  // What the reading function needs to know: the rest of the name, or a number that stands for it.
  const std::string& argument() const { return argument_; }
  std::uint32_t number() const { return number_; }
  Shape shape() const { return shape_; }
  // False for a name that nothing provides: it is absent for ever.
  explicit operator bool() const { return read_ != nullptr; }

 private:
  Read read_ = nullptr;
  std::string argument_;
  std::uint32_t number_ = 0;
  Shape shape_ = Shape::text;
};

// Finds the variable of a name; the compilers of expressions and templates take one, so that they can be
// tested, and used for connections, without an exchange.
using VariableFinder = std::function<Variable(std::string_view name)>;

// The variables of an HTTP exchange (docs/reference lists them): nginx's names, the families arg_*, cookie_*,
// http_*, sent_http_*, uri_param_*, post_arg_*, and APISIX's own. An unknown name gives a Variable that is
// false and always absent.
Variable find_variable(std::string_view name);

}  // namespace sluice::plugin
