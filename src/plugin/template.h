// SPDX-License-Identifier: Apache-2.0
// Text with variables in it ("$remote_addr - ${http_host ?? none}"), compiled once to literal and variable
// parts and rendered by appending to a string of the caller. Immutable and shared by all threads.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plugin/variable.h"

namespace sluice::plugin {

class Template {
 public:
  enum class Syntax : std::uint8_t {
    apisix,  // $name ($ then letters, digits, _ and .), ${name}, ${name ?? otherwise}; a \ before the $ keeps
             // both
    nginx,   // $name (letters, digits and _), ${name}: access_log_format
  };
  using Escape = void (*)(std::string_view value, std::string& out);

  Template() = default;  // renders nothing
  static Template compile(std::string_view text, const VariableFinder& find, Syntax syntax = Syntax::apisix);

  // Appends. An absent variable is its "??" text, else `absent`. `escape` is applied to values, not to
  // literals. Returns how many variables were present or had an "otherwise".
  std::size_t render(Exchange& x, std::string& out, Escape escape = nullptr,
                     std::string_view absent = {}) const;

  bool is_constant() const { return parts_.empty(); }
  // The text as it was written.
  const std::string& text() const { return text_; }
  // The names nothing provides, for a warning to the operator.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  struct Part {
    std::string literal;  // before the variable
    Variable variable;
    std::string otherwise;
    bool has_otherwise = false;
  };
  std::string text_;
  std::vector<Part> parts_;  // empty when there is no variable
  std::string tail_;         // literal after the last variable
  std::vector<std::string> unknown_;
};

}  // namespace sluice::plugin
