// SPDX-License-Identifier: Apache-2.0
#include "plugin/template.h"

#include "base/text.h"

namespace sluice::plugin {
namespace {

struct Reference {
  std::string_view name, otherwise;
  bool has_otherwise = false;
  std::size_t length = 0;  // of the whole reference with its $; 0 when there is none here
};

// `text` starts with '$'.
Reference parse_reference(std::string_view text, Template::Syntax syntax) {
  Reference reference;
  if (text.size() > 1 && text[1] == '{') {
    const std::size_t end = text.find('}');
    if (end == std::string_view::npos || trim(text.substr(2, end - 2)).empty()) return reference;
    reference.length = end + 1;
    reference.name = trim(text.substr(2, end - 2));
    const std::size_t otherwise = reference.name.find("??");
    if (syntax == Template::Syntax::apisix && otherwise != std::string_view::npos) {
      reference.has_otherwise = true;
      reference.otherwise = trim(reference.name.substr(otherwise + 2));
      reference.name = trim(reference.name.substr(0, otherwise));
    }
    return reference;
  }
  std::size_t end = 1;
  while (end < text.size() &&
         (is_word(text[end]) || (text[end] == '.' && syntax == Template::Syntax::apisix)))
    ++end;
  if (end == 1) return reference;
  reference.name = text.substr(1, end - 1);
  reference.length = end;
  return reference;
}

}  // namespace

Template Template::compile(std::string_view text, const VariableFinder& find, Syntax syntax) {
  Template result;
  result.text_ = text;
  std::string literal;
  for (std::size_t at = 0; at < text.size();) {
    const bool escaped = syntax == Syntax::apisix && at > 0 && text[at - 1] == '\\';
    if (text[at] != '$' || escaped) {
      literal.push_back(text[at++]);
      continue;
    }
    const Reference reference = parse_reference(text.substr(at), syntax);
    if (reference.length == 0) {
      literal.push_back(text[at++]);
      continue;
    }
    Part part{std::move(literal), find(reference.name), std::string(reference.otherwise),
              reference.has_otherwise};
    if (!part.variable) result.unknown_.emplace_back(reference.name);
    result.parts_.push_back(std::move(part));
    literal.clear();
    at += reference.length;
  }
  result.tail_ = std::move(literal);
  return result;
}

std::size_t Template::render(Exchange& x, std::string& out, Escape escape, std::string_view absent) const {
  std::size_t present = 0;
  for (const Part& part : parts_) {
    out += part.literal;
    const Variable::Value value = part.variable.read(x);
    if (value || part.has_otherwise) ++present;
    const std::string_view shown = value                ? *value
                                   : part.has_otherwise ? std::string_view(part.otherwise)
                                                        : absent;
    if (escape && value) {
      escape(shown, out);
    } else {
      out += shown;
    }
  }
  out += tail_;
  return present;
}

}  // namespace sluice::plugin
