// SPDX-License-Identifier: Apache-2.0
#include "plugin/graphql.h"

#include "base/text.h"

namespace sluice::plugin {
namespace {

// A token of §2.1: a punctuator, a name, a number or a string; the end is an empty one.
struct Token {
  enum class Kind : std::uint8_t { end, punctuator, name, number, string, broken };
  Kind kind = Kind::end;
  std::string_view text;
};
using Kind = Token::Kind;

bool begins_name(char c) { return is_letter(c) || c == '_'; }
bool is_number_byte(char c) { return is_word(c) || c == '.' || c == '+' || c == '-'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }

  Token next() {
    skip_ignored();
    if (rest_.empty()) return {};
    const char c = rest_[0];
    if (begins_name(c)) return take(Kind::name, length_while(is_word));
    if (c == '-' || is_digit(c)) return take(Kind::number, length_while(is_number_byte));
    if (c == '"') return string();
    if (rest_.starts_with("...")) return take(Kind::punctuator, 3);
    const bool known = std::string_view("!$&():=@[]{|}").find(c) != std::string_view::npos;
    return take(known ? Kind::punctuator : Kind::broken, 1);
  }

 private:
  void skip_ignored() {
    while (!rest_.empty()) {
      const std::size_t blank = rest_.find_first_not_of(" \t\r\n,");
      rest_.remove_prefix(blank == std::string_view::npos ? rest_.size() : blank);
      if (!rest_.starts_with('#')) return;
      const std::size_t line = rest_.find_first_of("\r\n");
      rest_.remove_prefix(line == std::string_view::npos ? rest_.size() : line);
    }
  }

  template <class Belongs>
  std::size_t length_while(Belongs belongs) const {
    std::size_t length = 1;
    while (length < rest_.size() && belongs(rest_[length])) ++length;
    return length;
  }

  Token take(Kind kind, std::size_t length) {
    const Token token{kind, rest_.substr(0, length)};
    rest_.remove_prefix(length);
    return token;
  }

  Token string() {
    const bool block = rest_.starts_with("\"\"\"");
    for (std::size_t at = block ? 3 : 1; at < rest_.size(); ++at) {
      if (rest_[at] == '\\') {
        at += block && rest_.substr(at, 4) == "\\\"\"\"" ? 3 : block ? 0 : 1;
      } else if (block ? rest_.substr(at, 3) == "\"\"\"" : rest_[at] == '"') {
        return take(Kind::string, at + (block ? 3 : 1));
      } else if (!block && (rest_[at] == '\n' || rest_[at] == '\r')) {
        break;
      }
    }
    return take(Kind::broken, rest_.size());
  }

  std::string_view rest_;
};

// One method a rule of §2; each stands on the first token of its rule and leaves on the one behind it.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) { advance(); }

  std::optional<GraphqlRequest> document() {
    if (!definition(&first_)) return std::nullopt;
    while (token_.kind != Kind::end) {
      if (!definition(nullptr)) return std::nullopt;
    }
    return std::move(first_);
  }

 private:
  void advance() { token_ = lexer_.next(); }
  bool at(std::string_view mark) const { return token_.kind == Kind::punctuator && token_.text == mark; }
  bool skip(std::string_view mark) {
    if (!at(mark)) return false;
    advance();
    return true;
  }
  bool take_name(std::string_view* into = nullptr) {
    if (token_.kind != Kind::name) return false;
    if (into != nullptr) *into = token_.text;
    advance();
    return true;
  }

  bool definition(GraphqlRequest* into) {
    if (at("{")) {
      if (into != nullptr) into->operation = "query";
      return selections(0, into);
    }
    std::string_view word, name;
    if (!take_name(&word)) return false;
    if (word == "fragment") {
      std::string_view on;
      if (!take_name(&name) || name == "on" || !take_name(&on) || on != "on" || !take_name()) return false;
    } else {
      if (word != "query" && word != "mutation" && word != "subscription") return false;
      if (into != nullptr) into->operation = word;
      take_name(&name);
      if (!variables()) return false;
    }
    if (into != nullptr) into->name = name;
    return directives() && selections(0, into);
  }

  bool variables() {
    if (!skip("(")) return true;
    do {
      if (!skip("$") || !take_name() || !skip(":") || !type(0)) return false;
      if (skip("=") && !value(0)) return false;
      if (!directives()) return false;
    } while (!skip(")"));
    return true;
  }

  bool type(int depth) {
    if (depth > graphql_depth_max) return false;
    if (skip("[")) {
      if (!type(depth + 1) || !skip("]")) return false;
    } else if (!take_name()) {
      return false;
    }
    skip("!");
    return true;
  }

  bool directives() {
    while (skip("@")) {
      if (!take_name() || !arguments(0)) return false;
    }
    return true;
  }

  bool arguments(int depth) {
    if (!skip("(")) return true;
    do {
      if (!take_name() || !skip(":") || !value(depth)) return false;
    } while (!skip(")"));
    return true;
  }

  bool value(int depth) {
    if (depth > graphql_depth_max) return false;
    if (skip("$")) return take_name();
    if (skip("[")) {
      while (!skip("]"))
        if (!value(depth + 1)) return false;
      return true;
    }
    if (skip("{")) {
      while (!skip("}"))
        if (!take_name() || !skip(":") || !value(depth + 1)) return false;
      return true;
    }
    if (token_.kind != Kind::name && token_.kind != Kind::number && token_.kind != Kind::string) return false;
    advance();
    return true;
  }

  bool selections(int depth, GraphqlRequest* into) {
    if (depth > graphql_depth_max || !skip("{")) return false;
    do {
      if (!selection(depth, into)) return false;
    } while (!skip("}"));
    return true;
  }

  bool selection(int depth, GraphqlRequest* into) {
    std::string_view name;
    if (skip("...")) {
      const bool named = token_.kind == Kind::name && token_.text != "on";
      if (named) {
        take_name(&name);
        if (into != nullptr) into->root_fields.push_back(name);
        return directives();
      }
      if (take_name() && !take_name()) return false;  // "on Type"
      return directives() && selections(depth + 1, nullptr);
    }
    if (!take_name(&name)) return false;
    if (skip(":") && !take_name(&name)) return false;
    if (into != nullptr) into->root_fields.push_back(name);
    if (!arguments(depth) || !directives()) return false;
    return !at("{") || selections(depth + 1, nullptr);
  }

  Lexer lexer_;
  Token token_;
  GraphqlRequest first_;
};

}  // namespace

std::optional<GraphqlRequest> parse_graphql(std::string_view document) { return Parser(document).document(); }

}  // namespace sluice::plugin
